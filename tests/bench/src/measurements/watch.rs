//! A line of a guest that `berth run --watch` watches, from the moment it is saved until the answer shows it: the template of
//! `berth new`, whose line is the name of what it answers.

use crate::{
    host, http, paths,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// A language: its name, the file that answers, a text in it and what an edit makes of it; `NAME` is another in each edit.
const LANGUAGES: [(&str, &str, [&str; 2]); 2] = [
    (
        "rust",
        "src/visits.rs",
        [
            "    visits: u64",
            "    #[serde(rename = \"NAME\")]\n    visits: u64",
        ],
    ),
    (
        "js",
        "src/visits.ts",
        ["({ visits: Number", "({ NAME: Number"],
    ),
];
const NAME: &str = "visits";
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(2);
const BUDGET_MS: f64 = 2000.0;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("watch")?;
    LANGUAGES
        .iter()
        .map(|(language, source, edit)| watched(settings, &folder, language, source, *edit))
        .collect()
}

fn watched(
    settings: &Settings,
    folder: &Path,
    language: &str,
    source: &str,
    [before, after]: [&str; 2],
) -> Result<Line> {
    let folder = folder.join(language);
    fs::create_dir(&folder).context("making the folder of a language")?;
    let made = Command::new(&settings.berth)
        .args(["new", NAME, "--lang", language])
        .current_dir(&folder)
        .output()
        .context("starting berth")?;
    ensure!(made.status.success(), "berth new failed");
    let project = folder.join(NAME);
    let source = project.join(source);
    let text = fs::read_to_string(&source).context("reading the source")?;
    ensure!(
        text.contains(before),
        "{} has no `{before}`",
        source.display()
    );

    let path = format!("/{NAME}");
    let host = host::run_watched(settings, &project, &folder, &path)?;
    let mut edits = 0;
    let [answered] = alternate(
        settings.rounds,
        [Box::new(|| {
            edits += 1;
            let name = format!("edit{edits}");
            let edited = text.replace(before, &after.replace("NAME", &name));
            let began = Instant::now();
            fs::write(&source, edited).context("saving the source")?;
            while !http::get(host.address, &path, PATIENCE)?.contains(&name) {
                ensure!(began.elapsed() < PATIENCE, "the edit never showed");
                thread::sleep(PAUSE);
            }
            Ok(began.elapsed().as_secs_f64() * 1000.0)
        })],
    )?;
    let what = format!("{language}, from saved to answered");
    Ok(Line::alone(
        &what,
        Unit::Milliseconds,
        &answered,
        Budget::AtMost(BUDGET_MS),
    ))
}
