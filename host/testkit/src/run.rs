//! Scenarios, one or many, and what became of them.

use crate::{
    Kit, Problem,
    play::{Mode, play},
    sweep,
};
use berth_resources::scenario::{Scenario, Sweep, TestFile, folder_of};
use serde::Serialize;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How scenarios are run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Sweep every scenario, not only those that ask for it.
    pub sweep: Option<Sweep>,
    /// Accept what snapshots see now.
    pub update: bool,
    /// Only scenarios whose name, with their file's before it, holds this text.
    pub filter: Option<String>,
}

/// A scenario that was run.
#[derive(Debug, Clone, Serialize)]
pub struct Ran {
    /// The file, as the user named it.
    pub file: String,
    /// The scenario.
    pub name: String,
    /// What does not hold; none: it passed.
    pub problems: Vec<Problem>,
    /// What guests wrote and the host warned of, if something does not hold.
    pub log: Vec<String>,
    /// Runs of a sweep, besides the one without a disturbance.
    pub swept: usize,
    /// How long it took, in seconds.
    #[serde(serialize_with = "seconds")]
    pub took: Duration,
}

impl Ran {
    /// Whether everything holds.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_secs_f64())
}

impl RunOptions {
    /// Whether a scenario is meant.
    #[must_use]
    pub fn means(&self, file: &Path, scenario: &Scenario) -> bool {
        let Some(filter) = &self.filter else {
            return true;
        };
        format!("{} {}", file.display(), scenario.name).contains(filter.as_str())
    }
}

/// Runs a scenario of a file.
#[must_use]
pub fn run_scenario(kit: &Kit, file: &Path, scenario: &Scenario, options: &RunOptions) -> Ran {
    let began = Instant::now();
    let folder = folder_of(file);
    let mut ran = Ran {
        file: file.display().to_string(),
        name: scenario.name.clone(),
        problems: Vec::new(),
        log: Vec::new(),
        swept: 0,
        took: Duration::ZERO,
    };
    match play(kit, folder, scenario, Mode::Checked) {
        Err(problems) => ran.problems = problems,
        Ok(played) => {
            ran.problems.clone_from(&played.problems);
            if let Some(origin) = &scenario.then.snapshot
                && ran.problems.is_empty()
            {
                let seen = played.picture.json();
                let problem = crate::snapshot::check(file, &scenario.name, origin, &seen, options);
                ran.problems.extend(problem);
            }
            if let Some(sweep) = options.sweep.or(scenario.sweep)
                && ran.problems.is_empty()
            {
                let swept = sweep::sweep(kit, folder, scenario, sweep, &played);
                ran.swept = swept.runs;
                ran.problems = swept.problems;
            }
            if !ran.problems.is_empty() {
                let lines = played.world.records().lines;
                ran.log = lines.iter().map(line).collect();
            }
        }
    }
    ran.took = began.elapsed();
    ran
}

fn line(line: &crate::Line) -> String {
    match &line.app {
        Some(app) => format!("{app}: {}", line.text),
        None => format!("host: {}", line.text),
    }
}

/// Runs the scenarios of a file that are meant, one after the other.
#[must_use]
pub fn run_file(kit: &Kit, file: &TestFile, options: &RunOptions) -> Vec<Ran> {
    let meant = file
        .scenarios
        .iter()
        .filter(|scenario| options.means(&file.path, scenario));
    meant
        .map(|scenario| run_scenario(kit, &file.path, scenario, options))
        .collect()
}
