//! One file per command: its flags and what it does.

pub mod apps;
pub mod build;
pub mod ca;
pub mod check;
pub mod components;
pub mod dlq;
pub mod invoke;
pub mod log_level;
pub mod new;
mod payload;
pub mod publish;
pub mod run;
pub mod schema;
pub mod test;
pub mod topics;
pub mod workflow;

use crate::{
    args::{Args, Command},
    failure::Failure,
};
use anyhow::Context;
use std::future::Future;

/// Does what was asked.
pub fn execute(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Run(args) => run::execute(*args),
        Command::Check(args) => check::execute(&args),
        Command::New(args) => new::execute(&args),
        Command::Build(args) => build::execute(&args),
        Command::Test(args) => test::execute(&args),
        Command::Schema(args) => schema::execute(&args),
        Command::Apps(args) => ask(apps::execute(&args)),
        Command::Components(args) => ask(components::execute(&args)),
        Command::Invoke(args) => ask(invoke::execute(&args)),
        Command::Publish(args) => ask(publish::execute(&args)),
        Command::Topics(args) => ask(topics::execute(&args)),
        Command::Dlq(args) => ask(dlq::execute(&args)),
        Command::LogLevel(args) => ask(log_level::execute(&args)),
        Command::Workflow(args) => ask(workflow::execute(&args)),
        Command::Ca(args) => ca::execute(&args),
    }
}

/// Runs a command that asks a running host: one thread is enough.
fn ask(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the async runtime")?;
    runtime.block_on(command)
}

/// A report as JSON, for programs.
fn json<T: serde::Serialize>(report: &T) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// What stands in a table where there is nothing to say.
fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}
