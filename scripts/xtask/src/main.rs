//! `cargo xtask <command>`: everything that is done with the repository besides plain cargo.
//!
//! - [`setup`]: the tools, one file per [`toolchain`].
//! - [`guests`]: what is built for Wasm; [`component`] checks the result.
//! - [`mod@test`], [`mod@bench`], [`demo`], [`release`]: the commands of the README and of CONTRIBUTING.
//! - [`mod@reference`]: the page of component types.
//! - [`check_repo`], [`frozen_wit`]: rules of the repository that no compiler checks.
#![expect(
    clippy::print_stdout,
    reason = "a command line speaks through its output"
)]

mod bench;
mod building;
mod check_repo;
mod command;
mod component;
mod demo;
mod freshness;
mod frozen_wit;
mod guests;
mod http;
mod reference;
mod release;
mod repository;
mod setup;
mod test;
mod toolchain;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Builds, tests and shows berth.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what the tests need, or names the line that does.
    Setup,
    /// Builds guests that are older than their sources.
    Guests {
        /// Which of them.
        #[arg(value_enum, default_value = "all")]
        group: guests::Group,
    },
    /// Runs the shop and shows it around.
    Demo {
        /// The set of backends below `components/`; a server that it needs is started if none answers.
        #[arg(long, value_enum, value_name = "SET", default_value_t)]
        components: demo::Set,
        /// Keep running after the tour, also without a terminal.
        #[arg(long)]
        keep: bool,
    },
    /// Runs every check and test, as continuous integration does.
    Test {
        /// Torments servers for hours: more faults, more messages.
        #[arg(long)]
        soak: bool,
        /// Passed on to `cargo nextest run`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        nextest: Vec<String>,
    },
    /// Writes components/README.md from the drivers' metadata.
    Reference,
    /// Checks the rules of the repository.
    CheckRepo {
        /// Take the WIT packages as they are now for the frozen ones.
        #[arg(long)]
        freeze_wit: bool,
    },
    /// Builds berth for production, tuned by what hosts do under load.
    Release,
    /// Runs the benchmarks.
    Bench {
        /// Passed on to the benchmarks.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup => setup::run(),
        Command::Guests { group } => guests::build(group),
        Command::Demo { components, keep } => demo::run(components, keep),
        Command::Reference => reference::write(),
        Command::Test { soak, nextest } => test::run(soak, &nextest),
        Command::CheckRepo { freeze_wit: true } => frozen_wit::freeze(),
        Command::CheckRepo { freeze_wit: false } => check_repo::run(),
        Command::Bench { arguments } => bench::run(&arguments),
        Command::Release => release::run(),
    }
}
