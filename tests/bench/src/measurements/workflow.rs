//! Workflows of sequential steps, each on the disk before the next begins, beside Restate with its Node SDK. A step is an
//! activity in an instance of its own there, and a function inside the handler here.

use crate::{
    host::{self, App},
    paths,
    peers::{restate, wrk},
    report::{Budget, Line, Unit},
    samples::{Samples, alternate},
    settings::Settings,
};
use anyhow::Result;

/// How many steps, and how many workflows at the same time; what must hold.
const SHAPES: [(u32, u32, Budget); 3] = [
    (10, 32, Budget::RatioAtLeast(4.0)),
    // One at a time: at most 0.3 of the time per step.
    (10, 1, Budget::RatioAtLeast(3.33)),
    (1, 64, Budget::RatioAtLeast(4.0)),
];

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let folder = paths::scratch("workflow")?;
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let apps = [App::fresh("hello", &hello), App::fresh("bench", &bench)];
    // On the embedded file, with its synchronous=FULL.
    let berth = host::run_apps(settings, &folder, "", &apps)?;
    let restate = restate::start(&folder)?;
    let mut lines = Vec::new();
    for (steps, at_once, budget) in SHAPES {
        let own = berth.url(&format!("/bench/workflow?n={steps}"));
        let theirs = restate.server.url("/bench/steps");
        let body = steps.to_string();
        let [ours, theirs] = alternate(
            settings.rounds,
            [
                Box::new(|| wrk::load_from(&own, settings.round, at_once, None)),
                Box::new(|| wrk::load_from(&theirs, settings.round, at_once, Some(&body))),
            ],
        )?;
        let per_step = |samples: &Samples| samples.times(f64::from(steps));
        let what = format!("steps, {steps} in a row, {at_once} at once");
        let peer = ("Restate", &per_step(&theirs));
        let unit = Unit::PerSecond;
        lines.push(Line::beside(&what, unit, &per_step(&ours), peer, budget));
    }
    Ok(lines)
}
