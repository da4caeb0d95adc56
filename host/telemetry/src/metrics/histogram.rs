//! Durations by their order of magnitude.

use metrics::HistogramFn;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds in seconds: 100 µs to 10 s. What is longer counts in a last bucket without a bound.
pub(super) const BOUNDS: [f64; 16] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// How many values fell between two bounds, and their sum.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl HistogramFn for Histogram {
    fn record(&self, value: f64) {
        let bucket = BOUNDS.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        metrics::GaugeFn::increment(&self.sum, value);
    }
}

impl Histogram {
    /// Values up to each of [`BOUNDS`], then all.
    pub(super) fn cumulated(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().scan(0_u64, |total, bucket| {
            *total += bucket.load(Ordering::Relaxed);
            Some(*total)
        })
    }

    /// In seconds.
    pub(super) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Ordering::Relaxed))
    }
}
