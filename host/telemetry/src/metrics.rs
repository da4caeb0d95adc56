//! The Prometheus recorder behind the `metrics` macros.

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;

/// Buckets of every histogram whose name ends in `_seconds`: 100 µs to 10 s.
const SECONDS: [f64; 16] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// How often [`Metrics::upkeep`] wants to be called.
const UPKEEP: Duration = Duration::from_secs(5);

/// All metrics of the process.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Interval at which [`Metrics::upkeep`] wants to be called.
    pub const UPKEEP_INTERVAL: Duration = UPKEEP;

    /// Makes this process record its metrics.
    ///
    /// # Errors
    /// When a recorder was installed before.
    pub fn install() -> anyhow::Result<Self> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .context("setting the buckets of histograms")?
            .install_recorder()
            .context("installing the metrics recorder")?;
        Ok(Self { handle })
    }

    /// Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds recorded samples into the histograms: without it they wait in memory for the next scrape.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_and_a_histogram_appear_in_prometheus_form() {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .unwrap()
            .build_recorder();
        let metrics = Metrics {
            handle: recorder.handle(),
        };
        ::metrics::with_local_recorder(&recorder, || {
            ::metrics::counter!("berth_calls_total", "app" => "orders").increment(2);
            ::metrics::histogram!("berth_call_seconds").record(0.004);
        });
        metrics.upkeep();
        let text = metrics.render();
        assert!(
            text.contains("berth_calls_total{app=\"orders\"} 2"),
            "{text}"
        );
        assert!(
            text.contains("berth_call_seconds_bucket{le=\"0.005\"} 1"),
            "{text}"
        );
    }
}
