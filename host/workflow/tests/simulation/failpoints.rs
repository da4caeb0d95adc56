//! A crash at every place, each time that it is reached: small stories, told once for each.

use crate::run::{Options, simulate};

/// Stories in which every crash is tried.
const SEEDS: u64 = 12;

/// Crashes of one place in one story, at most.
const TIMES: u64 = 12;

/// Stories in which every pair of places is tried.
const PAIRED_SEEDS: u64 = 2;

#[test]
fn a_crash_at_any_place_breaks_no_rule() {
    let mut crashes = 0;
    let mut broken = Vec::new();
    for seed in 0..SEEDS {
        for (place, times) in simulate(seed, Options::CALM).reached {
            for count in 1..=times.min(TIMES) {
                let options = Options {
                    crash_at: [Some((place, count)), None],
                    ..Options::CALM
                };
                let report = simulate(seed, options);
                crashes += report.crashes;
                if !report.violations.is_empty() {
                    broken.push((seed, place, count, report.violations));
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} broken, such as {:?}",
        broken.len(),
        broken[0]
    );
    assert!(crashes > 300, "{crashes}");
}

/// The second crash hits a host that is taking up what the first one left, or the other host.
#[test]
fn a_crash_while_a_crash_is_recovered_from_breaks_no_rule() {
    pairs(false);
}

/// The host comes back to a store that is away.
#[test]
fn a_store_that_is_away_after_a_crash_breaks_no_rule() {
    pairs(true);
}

fn pairs(outages: bool) {
    let (mut crashes, mut broken) = (0, Vec::new());
    for seed in 0..PAIRED_SEEDS {
        let places: Vec<_> = simulate(seed, Options::CALM).reached.into_keys().collect();
        for &first in &places {
            for &second in &places {
                let options = Options {
                    crash_at: [Some((first, 1)), Some((second, 1))],
                    outages,
                    ..Options::CALM
                };
                let report = simulate(seed, options);
                crashes += report.crashes;
                if !report.violations.is_empty() {
                    broken.push((seed, first, second, report.violations));
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} broken, such as {:?}",
        broken.len(),
        broken[0]
    );
    assert!(crashes > 200, "{crashes}");
}
