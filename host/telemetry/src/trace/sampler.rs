//! Which traces are recorded.

use super::SpanContext;

/// A share of the traces that begin here. A trace that comes with its caller is recorded if the caller does, as in
/// Dapr: a trace is whole or absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Trace IDs below this are recorded; every host comes to the same answer.
    below: u64,
}

impl Sampler {
    /// A share from 0 to 1.
    #[must_use]
    pub fn of_rate(rate: f64) -> Self {
        let rate = rate.clamp(0.0, 1.0);
        Self {
            // Truncation is meant: the largest share below 1 need not be exact.
            below: if rate >= 1.0 {
                u64::MAX
            } else {
                (rate * (1_u64 << 63) as f64) as u64
            },
        }
    }

    /// Whether a trace that begins here is recorded.
    #[must_use]
    pub fn takes(&self, context: &SpanContext) -> bool {
        let [.., a, b, c, d, e, f, g, h] = context.trace_id_bytes();
        let low = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        low < self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: f64) -> usize {
        let sampler = Sampler::of_rate(rate);
        (0..10_000)
            .filter(|_| sampler.takes(&SpanContext::generate()))
            .count()
    }

    #[test]
    fn a_rate_is_a_share_of_the_traces() {
        assert_eq!(taken(0.0), 0);
        assert_eq!(taken(1.0), 10_000);
        let quarter = taken(0.25);
        assert!((2_000..3_000).contains(&quarter), "{quarter}");
    }
}
