//! `berth test`

mod record;

use super::json;
use crate::{
    args::{CompileArgs, DEFAULT_DATA_DIR, Output},
    failure::Failure,
    ui,
};
use anyhow::Context;
use berth_resources::scenario::{Sweep, folder_of};
use berth_testkit::{Kit, Ran, RunOptions, Suite, junit};
use clap::ValueEnum;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use owo_colors::Style;
use serde::Serialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

/// After a change, for whatever else belongs to it.
const QUIET: Duration = Duration::from_millis(150);

/// Flags of `berth test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders with scenarios (`*.test.yaml`), or such files
    #[arg(value_name = "DIR|FILE.test.yaml", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Only scenarios whose file or name holds this text
    #[arg(short, long, value_name = "TEXT")]
    filter: Option<String>,
    /// Accept what snapshots see now
    #[arg(long)]
    update: bool,
    /// Run every scenario again, once for each place where something may break
    #[arg(long, value_enum, value_name = "WHAT")]
    sweep: Option<SweepWord>,
    /// Scenarios that run at the same time; by default one for each processor
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Write results to this file in JUnit's form
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Run again whenever a file changes
    #[arg(short, long)]
    watch: bool,
    /// Write what a client asks the running host, and what it answers, as a scenario to this file
    #[arg(long, value_name = "FILE.test.yaml", conflicts_with_all = ["watch", "update", "sweep", "junit"])]
    record: Option<PathBuf>,
    /// Where clients are recorded; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = super::run::address)]
    listen: SocketAddr,
    /// Data directory of the host that is recorded
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, env = "BERTH_DATA_DIR", hide_env_values = true)]
    data_dir: PathBuf,
    #[command(flatten)]
    compile: CompileArgs,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

/// `--sweep`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SweepWord {
    /// The host crashes before and after the effect of every block call
    Crash,
}

#[derive(Serialize)]
struct Report<'a> {
    passed: usize,
    failed: usize,
    scenarios: &'a [Ran],
}

/// Runs scenarios; fails if one does.
pub fn execute(args: &Args) -> Result<(), Failure> {
    if let Some(file) = &args.record {
        return record::record(file, &args.data_dir, args.listen);
    }
    let cache = args.compile.cache_dir(Path::new(DEFAULT_DATA_DIR));
    let kit = Kit::compiling(&cache, args.compile.compiler(args.watch))?;
    if !args.watch {
        return args.run(&kit);
    }
    let (tell, changes) = mpsc::channel();
    let watcher = args.watcher(tell)?;
    loop {
        if let Err(failure) = args.run(&kit) {
            failure.report();
        }
        ui::note("waiting for a change");
        if changes.recv().is_err() {
            drop(watcher);
            return Ok(());
        }
        while changes.recv_timeout(QUIET).is_ok() {}
    }
}

impl Args {
    fn run(&self, kit: &Kit) -> Result<(), Failure> {
        let began = Instant::now();
        let suite = Suite::read(&self.paths);
        if !suite.findings.is_empty() {
            return Err(Failure::Findings(suite.findings));
        }
        let options = RunOptions {
            sweep: self.sweep.map(|SweepWord::Crash| Sweep::Crash),
            update: self.update,
            filter: self.filter.clone(),
        };
        let processors = available_parallelism().map_or(1, usize::from);
        let threads = self.jobs.map_or(processors, usize::from);
        let all = suite.run(kit, &options, threads, |ran| {
            if self.output == Output::Text {
                ui::out(&text(ran));
            }
        });
        if all.is_empty() {
            return Err(self.nothing());
        }
        if let Some(file) = &self.junit {
            let shown = file.display();
            std::fs::write(file, junit(&all)).with_context(|| format!("writing {shown}"))?;
        }
        let failed = all.iter().filter(|ran| !ran.passed()).count();
        let passed = all.len() - failed;
        match self.output {
            Output::Json => ui::out(&json(&Report {
                passed,
                failed,
                scenarios: &all,
            })),
            Output::Text => ui::note(&format!(
                "{passed} passed, {failed} failed, {}",
                ui::duration(began.elapsed())
            )),
        }
        if failed == 0 {
            Ok(())
        } else {
            Err(Failure::Reported)
        }
    }

    fn nothing(&self) -> Failure {
        let paths: Vec<_> = self
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        match &self.filter {
            Some(filter) => Failure::input_text(format_args!(
                "no scenario of {} holds `{filter}`",
                paths.join(", ")
            )),
            None => {
                Failure::input_text(format_args!("there is no scenario in {}", paths.join(", ")))
                    .hint("scenarios stand in files whose name ends with .test.yaml")
            }
        }
    }

    /// Tells of changed documents, scenarios and guests.
    fn watcher(&self, tell: mpsc::Sender<()>) -> Result<RecommendedWatcher, Failure> {
        let matters = |path: &PathBuf| {
            let extension = path.extension().unwrap_or_default();
            ["yaml", "yml", "wasm", "json"]
                .iter()
                .any(|own| extension == *own)
        };
        let changed = move |event: notify::Result<notify::Event>| {
            let is_change = |event: &notify::Event| !event.kind.is_access();
            if event.is_ok_and(|event| is_change(&event) && event.paths.iter().any(matters)) {
                // Nobody listens any more at the end.
                let _ = tell.send(());
            }
        };
        let mut watcher = notify::recommended_watcher(changed).context("watching files")?;
        for path in &self.paths {
            let folder = if path.is_dir() {
                path.as_path()
            } else {
                folder_of(path)
            };
            watcher
                .watch(folder, RecursiveMode::Recursive)
                .with_context(|| format!("watching {}", folder.display()))?;
        }
        Ok(watcher)
    }
}

/// One line, and what does not hold below it.
fn text(ran: &Ran) -> String {
    let (word, style) = if ran.passed() {
        ("pass", Style::new().green())
    } else {
        ("FAIL", Style::new().red().bold())
    };
    let swept = match ran.swept {
        0 => String::new(),
        runs => format!(", {runs} runs disturbed"),
    };
    let mut text = format!(
        "{} {}: {} ({}{swept})",
        ui::paint(word, style),
        ran.file,
        ran.name,
        ui::duration(ran.took)
    );
    for problem in &ran.problems {
        for line in problem.to_string().lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    if !ran.log.is_empty() {
        text.push_str("\n  log:");
        for line in &ran.log {
            text.push_str("\n    ");
            text.push_str(line);
        }
    }
    text
}
