//! Component tests: `berth test` on 500 scenarios of a guest that is in the cache, a request and a state check each. A
//! scenario alone is timed by berth itself, since starting the process is not a part of it.

use crate::{
    paths,
    report::{Budget, Line, Unit},
    samples::{Samples, alternate},
    settings::Settings,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{fmt::Write, fs, path::Path, process::Command, time::Instant};

const SCENARIOS: usize = 500;
/// A scenario may take this many milliseconds, all of them together this many.
const ONE: f64 = 20.0;
const ALL: f64 = 10_000.0;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("testkit")?;
    let guest = paths::guest("worker")?;
    let mut text = format!("given: {{ guest: {} }}\nscenarios:\n", guest.display());
    for number in 0..SCENARIOS {
        writeln!(
            text,
            "  - name: scenario {number}\n    when: [{{ start: {{ workflow: program, id: p, input: [{{ activity: effect, \
             input: done }}] }} }}]\n    then: {{ state: {{ statestore: {{ done: 1 }} }} }}"
        )?;
    }
    let file = folder.join("many.test.yaml");
    fs::write(&file, text)?;
    let mut one = Samples::default();
    let [all] = alternate(
        settings.starts,
        [Box::new(|| {
            let began = Instant::now();
            let answer = test(settings, &file, &folder, &[])?;
            let took = began.elapsed();
            ensure!(answer["passed"] == SCENARIOS, "not all passed: {answer}");
            let alone = test(
                settings,
                &file,
                &folder,
                &["--jobs", "1", "--filter", "scenario 7"],
            )?;
            let scenarios = alone["scenarios"].as_array().context("no scenarios")?;
            let seconds: f64 = scenarios
                .iter()
                .filter_map(|own| own["took"].as_f64())
                .sum();
            one.push(seconds * 1000.0 / scenarios.len() as f64);
            Ok(took.as_secs_f64() * 1000.0)
        })],
    )?;
    Ok(vec![
        Line::alone(
            "one scenario",
            Unit::Milliseconds,
            &one,
            Budget::AtMost(ONE),
        ),
        Line::alone(
            "500 scenarios",
            Unit::Milliseconds,
            &all,
            Budget::AtMost(ALL),
        ),
    ])
}

fn test(settings: &Settings, file: &Path, folder: &Path, more: &[&str]) -> Result<Value> {
    let output = Command::new(&settings.berth)
        .arg("test")
        .arg(file)
        .args(["--output", "json", "--cache-dir"])
        .arg(folder.join("cache"))
        .args(more)
        .output()
        .context("running berth test")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("berth test said: {said}")
    })
}
