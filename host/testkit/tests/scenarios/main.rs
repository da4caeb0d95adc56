//! Scenarios in files, as `berth test` runs them. The guests come from `cargo xtask guests`.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails like the test itself"
)]

mod api;
mod foreign;
mod golden;
mod outcomes;
mod planted;
mod shop;

use berth_resources::scenario::Scenario;
use berth_testkit::{Kit, Ran, RunOptions, TestFile, read_test, read_test_text, run_scenario};
use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// One for all tests: guests are compiled once.
static KIT: LazyLock<Kit> = LazyLock::new(|| {
    let cache = repository().join("target/testkit-cache");
    Kit::new(&cache).unwrap()
});

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A guest of the tests.
fn guest(name: &str) -> PathBuf {
    let path = repository().join(format!("target/guests/{name}.wasm"));
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask guests`",
        path.display()
    );
    path
}

fn file(path: &str) -> TestFile {
    let path = repository().join(path);
    match read_test(&path) {
        Ok(file) => file,
        Err(findings) => panic!("{}", lines(&findings)),
    }
}

fn lines(all: &[impl ToString]) -> String {
    let texts: Vec<_> = all.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

/// Scenarios that are not in a file, about a guest of the tests.
fn scenarios(guest_name: &str, text: &str) -> TestFile {
    let guest = guest(guest_name);
    let text = text.replace("GUEST", &guest.display().to_string());
    match read_test_text(Path::new("inline.test.yaml"), &text) {
        Ok(file) => file,
        Err(findings) => panic!("{}", lines(&findings)),
    }
}

fn run(file: &TestFile, scenario: &Scenario) -> Ran {
    run_scenario(&KIT, &file.path, scenario, &RunOptions::default())
}

/// Runs every scenario of a file; each has to pass.
fn all_pass(file: &TestFile) {
    for scenario in &file.scenarios {
        let ran = run(file, scenario);
        assert!(ran.passed(), "{}", told(&ran));
    }
}

/// The problems of the first scenario, without what differs from machine to machine.
fn problems(file: &TestFile) -> String {
    let ran = run(file, &file.scenarios[0]);
    assert!(!ran.passed(), "{} passes", ran.name);
    lines(&ran.problems)
}

fn told(ran: &Ran) -> String {
    format!(
        "{}: {}\n{}\n--- log\n{}",
        ran.file,
        ran.name,
        lines(&ran.problems),
        ran.log.join("\n")
    )
}
