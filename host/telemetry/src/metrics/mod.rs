//! The recorder behind the `metrics` macros, and Prometheus' text format of what it holds.
//!
//! Our own, since recording is a part of every call: here it is one or two atomic additions, nothing waits in memory for
//! the next scrape, and no clock is calibrated when a host starts.

mod histogram;
mod recorder;
mod text;

use anyhow::Context;
use recorder::{Recorder, Series};
use std::sync::Arc;

/// All metrics of the process.
#[derive(Clone)]
pub struct Metrics {
    series: Arc<Series>,
}

impl Metrics {
    /// Makes this process record its metrics.
    ///
    /// # Errors
    /// When a recorder was installed before.
    pub fn install() -> anyhow::Result<Self> {
        let (recorder, metrics) = Self::new();
        // The crate's error would show the recorder.
        ::metrics::set_global_recorder(recorder)
            .ok()
            .context("metrics are recorded already: one host runs in a process")?;
        Ok(metrics)
    }

    fn new() -> (Recorder, Self) {
        let series = Arc::default();
        let recorder = Recorder::of(Arc::clone(&series));
        (recorder, Self { series })
    }

    /// [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/), version 0.0.4: families
    /// and series in the order of their names.
    #[must_use]
    pub fn render(&self) -> String {
        text::render(&self.series)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(record: impl FnOnce()) -> String {
        let (recorder, metrics) = Metrics::new();
        ::metrics::with_local_recorder(&recorder, record);
        metrics.render()
    }

    #[test]
    fn nothing_recorded_is_an_empty_text() {
        assert_eq!(rendered(|| {}), "");
    }

    #[test]
    fn counters_and_gauges_stand_below_their_type() {
        let text = rendered(|| {
            ::metrics::counter!("berth_calls_total", "app" => "orders", "code" => "200")
                .increment(2);
            ::metrics::counter!("berth_calls_total", "app" => "orders", "code" => "200")
                .increment(1);
            ::metrics::counter!("berth_calls_total", "app" => "audit", "code" => "500")
                .increment(1);
            ::metrics::gauge!("berth_connections").set(2.5);
            ::metrics::gauge!("berth_connections").decrement(1.0);
        });
        assert_eq!(
            text,
            "# TYPE berth_calls_total counter\n\
             berth_calls_total{app=\"audit\",code=\"500\"} 1\n\
             berth_calls_total{app=\"orders\",code=\"200\"} 3\n\
             \n\
             # TYPE berth_connections gauge\n\
             berth_connections 1.5\n\
             \n"
        );
    }

    #[test]
    fn a_histogram_counts_up_to_each_bound() {
        let text = rendered(|| {
            let seconds = ::metrics::histogram!("berth_call_seconds", "app" => "orders");
            for value in [0.000_05, 0.0001, 0.004, 3.0, 60.0] {
                seconds.record(value);
            }
        });
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "# TYPE berth_call_seconds histogram");
        // A bound belongs to its bucket.
        assert_eq!(
            lines[1],
            "berth_call_seconds_bucket{app=\"orders\",le=\"0.0001\"} 2"
        );
        for line in [
            "berth_call_seconds_bucket{app=\"orders\",le=\"0.0025\"} 2",
            "berth_call_seconds_bucket{app=\"orders\",le=\"0.005\"} 3",
            "berth_call_seconds_bucket{app=\"orders\",le=\"10\"} 4",
            "berth_call_seconds_bucket{app=\"orders\",le=\"+Inf\"} 5",
            "berth_call_seconds_count{app=\"orders\"} 5",
        ] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
        assert!(
            text.contains("berth_call_seconds_sum{app=\"orders\"} 63.00415\n"),
            "{text}"
        );
    }

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let text = rendered(|| {
            ::metrics::counter!("c", "topic" => "a\"b\\c\nd").increment(1);
        });
        assert!(text.contains("c{topic=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
    }

    #[test]
    fn threads_that_record_at_once_lose_nothing() {
        let (recorder, metrics) = Metrics::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    ::metrics::with_local_recorder(&recorder, || {
                        for _ in 0..10_000 {
                            ::metrics::counter!("c").increment(1);
                            ::metrics::histogram!("h").record(0.5);
                        }
                    });
                });
            }
        });
        let text = metrics.render();
        for line in ["c 40000\n", "h_count 40000\n", "h_sum 20000\n"] {
            assert!(text.contains(line), "{text}");
        }
    }
}
