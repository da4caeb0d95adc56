//! Keeps this host's lease, by which it owns its instances.

use super::Shared;
use berth_blocks::workflow::WorkflowStoreError;
use std::sync::{Arc, atomic::Ordering};

/// Makes this host known.
pub(super) async fn join(shared: &Shared) -> Result<(), WorkflowStoreError> {
    let now = shared.platform.now();
    let until = now.after(shared.config.lease);
    shared.store.join(&shared.owner, now, until).await?;
    shared.lease_until.store(until.0, Ordering::Relaxed);
    Ok(())
}

/// Renews it three times per lease. A lease that could not be renewed in time costs no instance by itself: what others
/// take meanwhile is fenced off by its epoch, the rest goes on.
pub(super) async fn keep(shared: Arc<Shared>) {
    let interval = shared.config.lease / 3;
    loop {
        let now = shared.platform.now();
        shared.platform.sleep_until(now.after(interval)).await;
        let until = shared.platform.now().after(shared.config.lease);
        match shared.store.renew(&shared.owner, until).await {
            Ok(()) => shared.lease_until.store(until.0, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "renewing the lease of this host"),
        }
    }
}
