//! Many seeds, and single ones.

use crate::run::{Options, Report, simulate};
use std::collections::BTreeMap;

/// Stories with faults in an ordinary test run.
const FAULTY: u64 = 2_000;

/// Stories in which the clocks of two hosts are far apart.
const SKEWED: u64 = 150;

/// Stories in which nothing goes wrong, so that counts are exact.
const CALM: u64 = 300;

/// Tells all stories; the broken ones by seed, and sums of the rest.
fn tell(seeds: impl Iterator<Item = u64>, options: Options) -> Report {
    let mut sum = Report::default();
    let mut broken = BTreeMap::new();
    for seed in seeds {
        let report = simulate(seed, options);
        if !report.violations.is_empty() {
            broken.insert(seed, report.violations);
        }
        sum.crashes += report.crashes;
        sum.faults += report.faults;
        sum.executions += report.executions;
        for (place, count) in report.reached {
            *sum.reached.entry(place).or_default() += count;
        }
    }
    if let Some((seed, violations)) = broken.first_key_value() {
        panic!(
            "{} of these seeds break a rule: {:?}\nseed {seed}:\n{}",
            broken.len(),
            broken.keys().take(20).collect::<Vec<_>>(),
            violations.join("\n")
        );
    }
    sum
}

/// The seeds of the ordinary run, split so that tests use all cores.
fn part(number: u64, of: u64, all: u64) -> impl Iterator<Item = u64> {
    (0..all).filter(move |seed| seed % of == number)
}

#[test]
fn nothing_is_lost_or_done_twice_while_nothing_goes_wrong() {
    let report = tell(0..CALM, Options::CALM);
    assert_eq!((report.crashes, report.faults), (0, 0));
    assert!(report.executions > 1_000, "{}", report.executions);
}

#[test]
fn no_fault_breaks_a_rule_first_half() {
    let report = tell(part(0, 2, FAULTY), Options::FAULTY);
    assert!(
        report.crashes > 1_000 && report.faults > 1_000,
        "{report:?}"
    );
}

#[test]
fn no_fault_breaks_a_rule_second_half() {
    let report = tell(part(1, 2, FAULTY), Options::FAULTY);
    assert!(
        report.crashes > 1_000 && report.faults > 1_000,
        "{report:?}"
    );
}

/// Each host takes the other's leases for ended, or its timers for far away: all of that is slow, and nothing is wrong.
#[test]
fn clocks_that_are_ten_minutes_apart_break_no_rule() {
    let options = Options {
        skew: 20 * 60 * 1_000,
        ..Options::FAULTY
    };
    let report = tell(0..SKEWED, options);
    assert!(report.crashes > 100, "{report:?}");
}

#[test]
fn one_seed() {
    let seed = std::env::var("BERTH_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0);
    println!("seed {seed}");
    let options = if std::env::var("BERTH_CALM").is_ok() {
        Options::CALM
    } else {
        Options::FAULTY
    };
    let report = tell(seed..=seed, options);
    println!("{report:?}");
}

#[test]
fn more_seeds_on_demand() {
    let seeds = std::env::var("BERTH_SEEDS").ok();
    let Some((first, last)) = seeds.as_deref().and_then(|range| range.split_once("..")) else {
        return;
    };
    let report = tell(
        first.parse().unwrap()..last.parse().unwrap(),
        Options::FAULTY,
    );
    println!("{report:?}");
}
