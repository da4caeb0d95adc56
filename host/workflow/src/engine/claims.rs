//! Takes instances that are ready and that nobody owns.

use super::{
    Shared,
    owned::{Acquired, adopt},
};
use berth_blocks::workflow::{ClaimRequest, Timestamp};
use futures::future::select;
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

/// Instances taken at once.
const BATCH: usize = 64;

/// Claims whenever there may be something and there is a place for it.
pub(super) async fn serve(shared: Arc<Shared>) {
    loop {
        let next = claim(&shared).await;
        let poll = shared.platform.now().after(shared.config.poll_interval);
        let until = next.map_or(poll, |next| next.min(poll));
        if until > shared.platform.now() {
            let sleep = shared.platform.sleep_until(until);
            select(pin!(shared.claims.notified()), sleep).await;
        }
    }
}

/// Claims once; gives when the next instance becomes ready. `None`: nobody knows.
async fn claim(shared: &Arc<Shared>) -> Option<Timestamp> {
    let places = shared
        .config
        .instances_max
        .saturating_sub(shared.owned.lock().len());
    if places == 0 || shared.stopping.load(Ordering::Relaxed) || !shared.has_lease() {
        return None;
    }
    let request = ClaimRequest {
        owner: shared.owner.clone(),
        apps: shared.executor.apps(),
        limit: places.min(BATCH),
        now: shared.platform.now(),
    };
    let claims = match shared.store.claim(request).await {
        Ok(claims) => claims,
        Err(error) => {
            // What was claimed may be ours now, without our knowing.
            shared.doubt();
            tracing::warn!(%error, "claiming workflow instances");
            return None;
        }
    };
    shared.reach("claimed").await;
    let full = claims.claimed.len() == BATCH;
    for claimed in claims.claimed {
        adopt(
            shared,
            Acquired {
                row: claimed.row,
                taken_over: claimed.taken_over,
                events: None,
            },
        );
    }
    if full {
        return Some(shared.platform.now());
    }
    claims.next_ready_at
}
