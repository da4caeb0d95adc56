//! Figures of several rounds.

use anyhow::Result;

/// What one contender reached, round by round.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Keeps the figure of one more round.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The same rounds in another unit: so many times the figures.
    pub fn times(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|figure| figure * factor).collect())
    }

    /// The middle figure: one disturbed round does not move it. Zero if there was no round.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => 0.0,
            length if length % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The distance between the extremes as a share of the median.
    pub fn spread(&self) -> f64 {
        let smallest = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = self.0.iter().copied().fold(0.0, f64::max);
        if self.0.is_empty() {
            return 0.0;
        }
        (largest - smallest) / self.median()
    }
}

/// One contender: measures one round.
pub type Contender<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

/// Lets contenders take turns, so that what disturbs the machine for a while disturbs all of them. The first round
/// warms up and does not count.
pub fn alternate<const N: usize>(
    rounds: usize,
    mut contenders: [Contender<'_>; N],
) -> Result<[Samples; N]> {
    let mut samples = [const { Samples(Vec::new()) }; N];
    for contender in &mut contenders {
        contender()?;
    }
    for _ in 0..rounds {
        for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
            samples.push(contender()?);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_figures() {
        let samples = |figures: &[f64]| Samples(figures.to_vec()).median();
        assert_eq!(samples(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(samples(&[9.0, 1.0, 2.0, 4.0]), 3.0);
        assert_eq!(samples(&[]), 0.0);
    }

    #[test]
    fn the_round_that_warms_up_does_not_count() {
        let mut next = 0.0;
        let contender: Contender<'_> = Box::new(move || {
            next += 1.0;
            Ok(next)
        });
        let [samples] = alternate(3, [contender]).unwrap();
        assert_eq!(samples.0, [2.0, 3.0, 4.0]);
    }
}
