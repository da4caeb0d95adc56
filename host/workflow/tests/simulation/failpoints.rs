//! A crash at every place, each time that it is reached: small stories, told once for each.

use crate::run::{Options, simulate};

/// Stories in which every crash is tried.
const SEEDS: u64 = 12;

/// Crashes of one place in one story, at most.
const TIMES: u64 = 12;

#[test]
fn a_crash_at_any_place_breaks_no_rule() {
    let mut crashes = 0;
    let mut broken = Vec::new();
    for seed in 0..SEEDS {
        for (place, times) in simulate(seed, Options::CALM).reached {
            for count in 1..=times.min(TIMES) {
                let options = Options {
                    crash_at: Some((place, count)),
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
