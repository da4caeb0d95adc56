//! The owner of the certificates in use: asks the source, swaps what changed, never takes away what works.

use super::{CertificateError, CertificateSource, Keys};
use crate::identity::{SpiffeId, TrustDomain};
use arc_swap::{ArcSwap, Guard};
use berth_blocks::invocation::Target;
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{sync::Mutex, task::AbortHandle};

/// The certificates of a host's apps.
pub struct Keyring {
    source: Arc<dyn CertificateSource>,
    keys: ArcSwap<Keys>,
    /// The apps that certificates are wanted for; held while the source is asked, so that answers do not overtake.
    wanted: Mutex<HashSet<Target>>,
}

impl Keyring {
    /// Asks the source for the first time.
    ///
    /// # Errors
    /// Those of the source, or a certificate that cannot be used.
    pub async fn open(
        trust_domain: TrustDomain,
        source: Arc<dyn CertificateSource>,
        workloads: HashSet<Target>,
    ) -> Result<Arc<Self>, CertificateError> {
        let keyring = Self {
            source,
            keys: ArcSwap::from_pointee(Keys::none(trust_domain)?),
            wanted: Mutex::default(),
        };
        keyring.serve(workloads).await?;
        Ok(Arc::new(keyring))
    }

    /// Sets the apps of this host, those that only call included. Call it before they are put into service.
    ///
    /// # Errors
    /// Those of the source; the certificates and apps of before stay.
    pub async fn serve(&self, workloads: HashSet<Target>) -> Result<(), CertificateError> {
        let mut wanted = self.wanted.lock().await;
        self.load(&workloads).await?;
        *wanted = workloads;
        Ok(())
    }

    /// Asks the source again. Returns how many certificates are new.
    ///
    /// # Errors
    /// Those of the source; the certificates of before stay.
    pub async fn refresh(&self) -> Result<usize, CertificateError> {
        let wanted = self.wanted.lock().await;
        self.load(&wanted).await
    }

    async fn load(&self, wanted: &HashSet<Target>) -> Result<usize, CertificateError> {
        let (source, wanted) = (self.source.clone(), wanted.clone());
        let loaded = tokio::task::spawn_blocking(move || source.load(&wanted)).await;
        let material = loaded.map_err(|error| CertificateError::Crypto(error.to_string()))??;
        let before = self.keys.load_full();
        let keys = Keys::build(before.trust_domain.clone(), material, Some(&before))?;
        let renewed = keys.renewed(&before);
        self.keys.store(Arc::new(keys));
        Ok(renewed)
    }

    /// Asks the source every `interval` until the watch is dropped. A failure is logged and counted, and what was there
    /// stays in use.
    #[must_use]
    pub fn watch(self: &Arc<Self>, interval: Duration) -> Watch {
        let keyring = self.clone();
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                keyring.refresh_and_tell().await;
            }
        });
        Watch(task.abort_handle())
    }

    async fn refresh_and_tell(&self) {
        match self.refresh().await {
            Ok(0) => {}
            Ok(renewed) => tracing::info!(renewed, "certificates were renewed"),
            Err(error) => {
                metrics::counter!("berth_mesh_certificate_failures_total").increment(1);
                tracing::warn!(%error, "certificates could not be renewed: the present ones stay in use");
            }
        }
        if let Some(first) = self.expiries().iter().map(|(_, end)| *end).min() {
            let left = first.duration_since(SystemTime::now()).unwrap_or_default();
            metrics::gauge!("berth_mesh_certificate_seconds_left").set(left.as_secs_f64());
        }
    }

    /// Whose certificates there are, and when each ends.
    #[must_use]
    pub fn expiries(&self) -> Vec<(SpiffeId, SystemTime)> {
        let keys = self.keys.load();
        keys.leaves()
            .map(|leaf| (leaf.id.clone(), leaf.not_after))
            .collect()
    }

    /// The trust domain of all of them.
    #[must_use]
    pub fn trust_domain(&self) -> TrustDomain {
        self.keys.load().trust_domain.clone()
    }

    pub(crate) fn keys(&self) -> Guard<Arc<Keys>> {
        self.keys.load()
    }
}

/// Ends what it stands for when dropped.
#[derive(Debug)]
pub struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
