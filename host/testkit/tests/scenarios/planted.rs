//! Bugs that were planted are found, and without them the same scenarios pass.

use crate::{KIT, all_pass, file, told};
use berth_resources::scenario::Scenario;
use berth_testkit::{Ran, RunOptions, TestFile, run_scenario};

/// The bug that a scenario is about.
fn bug(scenario: &Scenario) -> &str {
    scenario.name.split(':').next().unwrap()
}

/// Runs a scenario on a guest with its bug.
fn run_planted(file: &TestFile, scenario: &Scenario) -> Ran {
    let mut planted = scenario.clone();
    let bug = bug(scenario).to_owned();
    planted.given.env.push(("BUG".to_owned(), bug));
    run_scenario(&KIT, &file.path, &planted, &RunOptions::default())
}

#[test]
fn scenarios_find_every_planted_bug() {
    let file = file("tests/guests/planted/planted.test.yaml");
    assert!(file.scenarios.len() >= 12);
    let missed = file.scenarios.iter().filter(|scenario| {
        let ran = run_planted(&file, scenario);
        ran.passed()
    });
    let missed: Vec<_> = missed.map(bug).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn without_bugs_the_same_scenarios_pass() {
    all_pass(&file("tests/guests/planted/planted.test.yaml"));
}

#[test]
fn a_crash_sweep_finds_bugs_that_the_same_scenario_without_it_does_not() {
    let file = file("tests/guests/planted/planted-sweep.test.yaml");
    assert!(file.scenarios.len() >= 6);
    for scenario in &file.scenarios {
        let mut undisturbed = scenario.clone();
        undisturbed.sweep = None;
        let ran = run_planted(&file, &undisturbed);
        assert!(ran.passed(), "{}", told(&ran));
        let ran = run_planted(&file, scenario);
        assert!(!ran.passed(), "{} is not found", scenario.name);
        let found = &ran.problems[0].message;
        assert!(found.contains("changes the outcome"), "{found}");
    }
}

#[test]
fn without_bugs_no_crash_changes_the_outcome() {
    let file = file("tests/guests/planted/planted-sweep.test.yaml");
    for scenario in &file.scenarios {
        let ran = crate::run(&file, scenario);
        assert!(ran.passed(), "{}", told(&ran));
        assert!(ran.swept > 0, "{} was not swept", scenario.name);
    }
}
