//! What is known of one host of one app: whether it answers, how fast, and what it has to do.

use parking_lot::Mutex;
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// What a host is taken for before it has answered, in seconds: hosts that nobody has asked get their share.
const LATENCY_UNKNOWN: f64 = 0.001;
/// After this time without an answer an estimate counts a third.
const MEMORY: Duration = Duration::from_secs(10);
/// How long a host that could not be reached is left alone, doubled with each failure.
const OUT_FIRST: Duration = Duration::from_secs(1);
/// The longest of these times.
const OUT_MAX: Duration = Duration::from_secs(15);

/// One host of one app.
#[derive(Debug)]
pub(super) struct Host {
    pub address: SocketAddr,
    in_flight: AtomicUsize,
    health: Mutex<Health>,
}

#[derive(Debug)]
struct Health {
    /// Seconds to the head of an answer: rises at once, falls slowly.
    latency: f64,
    measured: Instant,
    failures: u32,
    out_until: Option<Instant>,
}

impl Host {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            in_flight: AtomicUsize::new(0),
            health: Mutex::new(Health {
                latency: LATENCY_UNKNOWN,
                measured: Instant::now(),
                failures: 0,
                out_until: None,
            }),
        }
    }

    /// Whether it may be asked.
    pub fn is_in(&self) -> bool {
        let until = self.health.lock().out_until;
        until.is_none_or(|until| until <= Instant::now())
    }

    /// What another request would wait for: its latency, times the requests before it.
    pub fn cost(&self) -> f64 {
        let waiting = self.in_flight.load(Ordering::Relaxed);
        let health = self.health.lock();
        let age = Instant::now().duration_since(health.measured);
        let weight = (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        // An old estimate says little: a host that was slow once is asked again some day.
        let latency = LATENCY_UNKNOWN + (health.latency - LATENCY_UNKNOWN) * weight;
        latency.max(f64::EPSILON) * (waiting as f64 + 1.0)
    }

    /// It has answered.
    pub fn answered(&self, took: Duration) {
        let took = took.as_secs_f64();
        let mut health = self.health.lock();
        let now = Instant::now();
        let age = now.duration_since(health.measured);
        let weight = (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        health.latency = if took > health.latency {
            took
        } else {
            // With many answers a second each one counts a little.
            let weight = weight.min(0.95);
            health.latency * weight + took * (1.0 - weight)
        };
        health.measured = now;
        health.failures = 0;
        health.out_until = None;
    }

    /// Somebody waited so long and has no answer. Another host is then the cheaper one, until this one answers or the
    /// estimate is forgotten.
    pub fn kept_waiting(&self, waited: Duration) {
        let waited = waited.as_secs_f64();
        let mut health = self.health.lock();
        if waited > health.latency {
            health.latency = waited;
            health.measured = Instant::now();
        }
    }

    /// It could not be reached, or does not take anything new.
    pub fn failed(&self) {
        let mut health = self.health.lock();
        let pause = OUT_FIRST.saturating_mul(1 << health.failures.min(8));
        health.failures = health.failures.saturating_add(1);
        health.out_until = Some(Instant::now() + pause.min(OUT_MAX));
        drop(health);
        metrics::counter!("berth_mesh_hosts_out_total").increment(1);
    }

    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host::new("127.0.0.1:1".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_refuses_is_out_at_once_and_asked_again_later() {
        let host = host();
        assert!(host.is_in());
        host.failed();
        assert!(!host.is_in());
        tokio::time::advance(OUT_FIRST).await;
        assert!(host.is_in());
        host.failed();
        tokio::time::advance(OUT_FIRST).await;
        assert!(!host.is_in(), "the second pause is longer");
        host.answered(Duration::from_millis(1));
        assert!(host.is_in());
        for _ in 0..100 {
            host.failed();
        }
        tokio::time::advance(OUT_MAX).await;
        assert!(host.is_in(), "no pause is longer than the longest");
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_keeps_us_waiting_costs_more_than_one_that_answers() {
        let (silent, fine) = (host(), host());
        fine.answered(Duration::from_millis(20));
        silent.answered(Duration::from_millis(1));
        assert!(silent.cost() < fine.cost());
        silent.kept_waiting(Duration::from_secs(1));
        assert!(silent.cost() > fine.cost());
        // It is in nevertheless: perhaps the others are worse.
        assert!(silent.is_in());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_and_busy_hosts_cost_more_and_slowness_is_forgotten() {
        let (fast, slow) = (host(), host());
        fast.answered(Duration::from_millis(1));
        slow.answered(Duration::from_millis(100));
        assert!(slow.cost() > fast.cost());
        for _ in 0..1000 {
            fast.begin();
        }
        assert!(slow.cost() < fast.cost());
        for _ in 0..1000 {
            fast.end();
        }
        tokio::time::advance(MEMORY * 20).await;
        assert!(slow.cost() < 2.0 * fast.cost());
    }
}
