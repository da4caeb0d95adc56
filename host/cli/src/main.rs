//! The `berth` binary: runs WebAssembly components with Dapr's building blocks.
//!
//! - `args`: what can be typed; `commands`: one file per command.
//! - `host`: how `berth run` puts a host together, keeps it up to date and takes it down.
//! - `client`, `host_file`: how the other commands find and ask a running host.
//! - `failure`, `ui`: what people see.

mod args;
mod client;
mod commands;
mod failure;
mod host;
mod host_file;
mod panic;
mod registry;
mod ui;

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A request makes a hundred small allocations on one thread and frees some of them on another.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    panic::install_hook();
    let args = args::Args::parse();
    match commands::execute(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}
