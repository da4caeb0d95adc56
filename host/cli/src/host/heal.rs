//! Backends that failed to open and that the host runs without (`ignoreErrors`) are opened again until they work.

use super::running::Running;
use berth_blocks::{Backend, Backends};
use std::{sync::Arc, time::Duration};

/// The first pause; each later one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// Pauses between attempts.
#[derive(Debug, Default)]
pub struct Pauses {
    attempts: u32,
}

impl Pauses {
    /// `jitter` is 0 to 1: backends that failed together are not asked by all hosts at once.
    fn next(&mut self, jitter: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.attempts.min(16));
        self.attempts = self.attempts.saturating_add(1);
        doubled.min(LONGEST).mul_f64(0.5 + jitter / 2.0)
    }
}

impl Running {
    /// Waits, then tries once to open what failed. Never ends while nothing has failed. Cancel safe: what it opens is in
    /// use or closed.
    pub async fn heal(&mut self, pauses: &mut Pauses) {
        let before = self.workshop.blocks.snapshot();
        if before.failed().is_empty() {
            return std::future::pending().await;
        }
        tokio::time::sleep(pauses.next(rand::random())).await;
        let resources = &self.deployment.documents.resources;
        let backends = match self.workshop.open(resources).await {
            Ok(backends) => backends,
            Err(failure) => {
                return tracing::warn!("backends that failed were not opened again: {failure}");
            }
        };
        let healed = healed(&before, &backends);
        if healed.is_empty() {
            return;
        }
        self.workshop.blocks.swap(backends);
        // Guests need not be loaded again: a backend that failed was visible to them as well.
        self.deliveries
            .reconcile(self.deployment.plan.clone())
            .await;
        for backend in healed {
            tracing::info!(
                backend = &*backend.name,
                namespace = backend.namespace.as_str(),
                "the backend that failed to open works now"
            );
        }
        *pauses = Pauses::default();
    }
}

/// What failed before and does not now.
fn healed(before: &Backends, now: &Backends) -> Vec<Arc<Backend>> {
    let still = now.failed();
    let is_still = |backend: &Arc<Backend>| {
        still
            .iter()
            .any(|other| (&other.namespace, &other.name) == (&backend.namespace, &backend.name))
    };
    let mut healed = before.failed();
    healed.retain(|backend| !is_still(backend));
    healed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let mut pauses = Pauses::default();
        let all: Vec<_> = (0..8).map(|_| pauses.next(1.0).as_secs()).collect();
        assert_eq!(all, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(Pauses::default().next(0.0).as_millis(), 500);
        let mut old = Pauses { attempts: u32::MAX };
        assert_eq!(old.next(1.0), LONGEST);
    }
}
