//! What metrics show of policies.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use support::*;

/// Counters and gauges by name and state; the labels that all of them share are checked on the way.
#[derive(Default)]
struct Recorded {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

fn name(key: &Key) -> String {
    let labels: Vec<_> = key
        .labels()
        .map(|label| format!("{}={}", label.key(), label.value()))
        .collect();
    let (shared, own) = labels.split_at(4);
    let expected = [
        "namespace=default",
        "app=orders",
        "target=statestore",
        "direction=outbound",
    ];
    assert_eq!(shared, expected);
    [&[key.name().to_owned()], own].concat().join(" ")
}

fn slot(all: &Mutex<BTreeMap<String, Arc<AtomicU64>>>, key: &Key) -> Arc<AtomicU64> {
    all.lock().unwrap().entry(name(key)).or_default().clone()
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(slot(&self.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(slot(&self.gauges, key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl Recorded {
    fn counted(&self) -> Vec<String> {
        let all = self.counters.lock().unwrap();
        let line = |(name, count): (&String, &Arc<AtomicU64>)| {
            format!("{name} {}", count.load(Ordering::Relaxed))
        };
        all.iter().map(line).collect()
    }

    /// How many breakers are closed, half-open and open.
    fn breakers(&self) -> [u64; 3] {
        let all = self.gauges.lock().unwrap();
        ["closed", "half-open", "open"].map(|state| {
            let bits =
                all[&format!("berth_circuit_breakers state={state}")].load(Ordering::Relaxed);
            let value = f64::from_bits(bits);
            (0..9).find(|count| *count as f64 == value).unwrap()
        })
    }
}

const POLICIES: &str = "  policies: { timeouts: { t: 1s }, retries: { r: { duration: 1s, maxRetries: 1 } }, \
                        circuitBreakers: { c: { timeout: 5s, trip: consecutiveFailures >= 3 } } }\n  \
                        targets: { components: { statestore: { outbound: { timeout: t, retry: r, circuitBreaker: c } } } }";

#[test]
fn retries_timeouts_refusals_and_states_are_counted() {
    let recorded = Recorded::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorded, || {
        runtime.block_on(async {
            let resiliencies = resiliencies(&document(POLICIES));
            let target = Target::new(outbound(&resiliencies));
            assert_eq!(recorded.breakers(), [1, 0, 0]);
            target.always(Act::Hang).call().await;
            // The breaker opens at the third failure: the retry of this call is not made.
            target.call().await;
            assert_eq!(
                recorded.counted(),
                [
                    "berth_circuit_breaker_refused_total 1",
                    "berth_resiliency_retries_total 1",
                    "berth_resiliency_timeouts_total 3",
                ]
            );
            assert_eq!(recorded.breakers(), [0, 0, 1]);
            tokio::time::sleep(Duration::from_secs(5)).await;
            let probe = target.always(Act::SucceedAfter(500)).call();
            let mut probe = Box::pin(probe);
            assert!(futures::poll!(probe.as_mut()).is_pending());
            assert_eq!(recorded.breakers(), [0, 1, 0]);
            probe.await;
            assert_eq!(recorded.breakers(), [1, 0, 0]);
            drop((target, resiliencies));
            assert_eq!(recorded.breakers(), [0, 0, 0]);
        });
    });
}
