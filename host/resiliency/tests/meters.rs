//! What `/metrics` shows of policies.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use metrics_exporter_prometheus::PrometheusBuilder;
use std::time::Duration;
use support::*;

const POLICIES: &str = "  policies: { timeouts: { t: 1s }, retries: { r: { duration: 1s, maxRetries: 1 } }, \
                        circuitBreakers: { c: { timeout: 5s, trip: consecutiveFailures >= 3 } } }\n  \
                        targets: { components: { statestore: { outbound: { timeout: t, retry: r, circuitBreaker: c } } } }";

#[test]
fn retries_timeouts_refusals_and_states_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let shown = || {
        let text = metrics.render();
        let labels =
            "namespace=\"default\",app=\"orders\",target=\"statestore\",direction=\"outbound\"";
        let own = text.lines().filter(|line| line.contains(labels));
        let mut lines: Vec<_> = own.map(|line| line.replace(labels, "")).collect();
        lines.sort();
        lines
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let resiliencies = resiliencies(&document(POLICIES));
            let target = Target::new(outbound(&resiliencies));
            target.always(Act::Hang).call().await;
            target.call().await;
            assert_eq!(
                shown(),
                [
                    "berth_circuit_breaker_refused_total{} 1",
                    "berth_circuit_breakers{,state=\"closed\"} 0",
                    "berth_circuit_breakers{,state=\"half-open\"} 0",
                    "berth_circuit_breakers{,state=\"open\"} 1",
                    "berth_resiliency_retries_total{} 1",
                    "berth_resiliency_timeouts_total{} 3",
                ]
            );
            tokio::time::sleep(Duration::from_secs(5)).await;
            target.always(Act::Succeed).call().await;
            assert_eq!(shown()[1], "berth_circuit_breakers{,state=\"closed\"} 1");
            drop((target, resiliencies));
            assert_eq!(shown()[1], "berth_circuit_breakers{,state=\"closed\"} 0");
        });
    });
}
