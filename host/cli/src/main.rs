//! The `berth` binary: runs WebAssembly components with Dapr's building blocks.
//!
//! - `args`: what can be typed; `commands`: one file per command.
//! - `host`: how `berth run` puts a host together, keeps it up to date and takes it down.
//! - `client`, `host_file`: how the other commands find and ask a running host.
//! - `schemas`: what editors check documents with.
//! - `failure`, `ui`: what people see.

mod args;
mod client;
mod commands;
mod failure;
mod host;
mod host_file;
mod panic;
mod registry;
mod schemas;
mod ui;

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A request makes a hundred small allocations on one thread and frees some of them on another.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    panic::install_hook();
    without_huge_pages();
    let args = args::Args::parse();
    match commands::execute(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}

/// The allocator asks for huge pages. Zeroing two megabytes at the first touch of each of its areas was two thirds of
/// what a start took, and a host of many small guests has no use for them.
fn without_huge_pages() {
    // A kernel without them refuses, and nothing is lost.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
