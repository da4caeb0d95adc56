//! Benchmarks: berth beside its peers in one run on one machine, as ratios against the budgets.
//!
//! - [`measurements`]: one file per measurement, each with its budget.
//! - [`peers`]: the programs that berth is compared with, and `wrk`, which loads them.
//! - [`host`], [`server`], [`http`]: `berth` and its peers as processes, and requests to them.
//! - [`samples`], [`report`], [`machine`], [`readme`]: medians, the table, where it was measured, where it is kept.
#![expect(
    clippy::print_stdout,
    reason = "a command line speaks through its output"
)]

mod host;
mod http;
mod machine;
mod measurements;
mod paths;
mod peers;
mod readme;
mod report;
mod samples;
mod server;
mod settings;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use machine::Machine;
use measurements::Measurement;
use report::Report;
use settings::Settings;
use std::{fs, path::PathBuf, process::ExitCode};

/// Measures berth beside its peers.
#[derive(Parser)]
#[command(name = "berth-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only these measurements.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Measurement>,
    /// How long each round of a load lasts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// A third of the rounds and less work in each: to see that all works, not to quote.
    #[arg(long)]
    quick: bool,
    /// Put the table into the README of the benchmarks.
    #[arg(long)]
    write: bool,
    /// The date that the README names; today if absent.
    #[arg(long)]
    date: Option<String>,
    /// Write the results as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this binary, not the one that was built with the benchmarks.
    #[arg(long, value_name = "FILE")]
    berth: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a native hello, as a peer.
    #[command(name = "native-hello", hide = true)]
    Hello {
        #[arg(long)]
        port: u16,
    },
    /// Serves a native hello with mutual TLS, as a peer.
    #[command(name = "native-tls", hide = true)]
    Tls {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        certificates: PathBuf,
    },
    /// Serves the values of a Redis, as a peer.
    #[command(name = "native-state", hide = true)]
    State {
        #[arg(long)]
        port: u16,
        #[arg(long)]
        redis: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Hello { port }) => peers::native::serve(port),
        Some(Command::Tls { port, certificates }) => peers::mutual_tls::serve(port, &certificates),
        Some(Command::State { port, redis }) => peers::native::serve_state(port, &redis),
        None => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<()> {
    let machine = Machine::read(arguments.date.clone())?;
    println!("{machine}\n");
    let berth = match &arguments.berth {
        Some(binary) => binary.clone(),
        None => host::beside_the_benchmarks()?,
    };
    let settings = Settings::new(arguments.seconds, arguments.quick, berth);
    let mut report = Report::new(machine);
    for measurement in measurements::chosen(&arguments.only) {
        println!("{}: {}", measurement.name(), measurement.summary());
        let lines = measurement
            .run(&settings)
            .with_context(|| format!("measuring {}", measurement.name()))?;
        report.add(measurement, lines);
    }
    println!("\n{}", report.table());
    if let Some(file) = &arguments.json {
        let json = serde_json::to_string_pretty(&report)?;
        fs::write(file, json + "\n").with_context(|| format!("writing {}", file.display()))?;
    }
    if arguments.write {
        readme::write(&report)?;
    }
    Ok(())
}
