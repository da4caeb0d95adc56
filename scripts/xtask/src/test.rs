//! `cargo xtask test`: every check, in the order in which they fail soonest.

use crate::{
    building::Building, check_repo, command, guests, repository, setup, toolchain::project,
};
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const RUST_SDK: &str = "wit/sdk/rust";

/// Steps that are done, or failed, with their times.
#[derive(Default)]
struct Timetable {
    steps: Vec<(&'static str, Duration)>,
}

impl Timetable {
    fn step(&mut self, name: &'static str, body: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("== {name}");
        let started = Instant::now();
        let outcome = body().with_context(|| format!("step `{name}`"));
        self.steps.push((name, started.elapsed()));
        outcome
    }

    fn print(&self) {
        for (name, took) in &self.steps {
            println!("{name:<20} {:>7.1} s", took.as_secs_f64());
        }
        let total: Duration = self.steps.iter().map(|(_, took)| took).sum();
        println!("{:<20} {:>7.1} s", "total", total.as_secs_f64());
    }
}

/// Runs every step; `nextest` is passed on to the test runner. Soaked tests take hours.
pub fn run(soak: bool, nextest: &[String]) -> Result<()> {
    let mut timetable = Timetable::default();
    let outcome = steps(&mut timetable, soak, nextest);
    println!(
        "== {}",
        if outcome.is_ok() {
            "all passed"
        } else {
            "failed"
        }
    );
    timetable.print();
    outcome
}

fn steps(timetable: &mut Timetable, soak: bool, nextest: &[String]) -> Result<()> {
    timetable.step("compilers", setup::for_compiling)?;
    let building = Building::begin(linting(repository::cargo().args([
        "nextest",
        "run",
        "--workspace",
        "--no-run",
    ])))?;
    timetable.step("setup", setup::run)?;
    timetable.step("format", format)?;
    timetable.step("repository", check_repo::run)?;
    timetable.step("guests", || guests::build(guests::Group::All))?;
    timetable.step("clippy, building", || building.finish())?;
    timetable.step("tests", || tests(soak, nextest))?;
    timetable.step("tests of the shop", shop)?;
    timetable.step("tests of the SDKs", sdks)?;
    timetable.step("documentation", documentation)
}

/// Has clippy compile the workspace for a command of cargo's: by itself it would check all dependencies first, which takes as
/// long as compiling them. Cargo tells apart what was compiled so. By an option, since tests run cargo, too.
fn linting(cargo: &mut Command) -> &mut Command {
    cargo
        .args(["--config", "build.rustc-workspace-wrapper='clippy-driver'"])
        // The arguments of `cargo clippy -- -D warnings`, as it hands them to its driver.
        .env(
            "CLIPPY_ARGS",
            "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
        )
}

/// Of the libraries, on what was compiled for the tests: `cargo doc` would check all dependencies once more.
fn documentation() -> Result<()> {
    let output = repository::path("target/doc");
    let instead = repository::path("scripts/document-tested");
    command::run(
        linting(repository::cargo().args(["test", "--doc", "--workspace"]))
            .arg("--config")
            .arg(format!("build.rustdoc='{}'", instead.display()))
            .env(
                "RUSTDOCFLAGS",
                format!("-D warnings --output={}", output.display()),
            ),
    )
}

/// The host's workspace, and those of the guests.
fn format() -> Result<()> {
    for workspace in [
        ".",
        "tests/guests",
        "tests/guests/sdk-rust",
        "guest-examples/shop",
        RUST_SDK,
    ] {
        let mut fmt = Command::new("cargo");
        fmt.current_dir(repository::path(workspace))
            .args(["fmt", "--all", "--check"]);
        command::run(&mut fmt)?;
    }
    Ok(())
}

/// Beside the servers that take seconds to start: they run once for all tests.
fn tests(soak: bool, nextest: &[String]) -> Result<()> {
    let mut with_servers = repository::command(repository::built("with-servers")?);
    with_servers.args(["--", "cargo", "nextest", "run", "--workspace"]);
    linting(&mut with_servers).args(nextest);
    if soak {
        with_servers
            .env("BERTH_SOAK", "1")
            .args(["--profile", "soak"]);
    }
    command::run(&mut with_servers)
}

/// What the shop's guests decide, without a host.
fn shop() -> Result<()> {
    guest_cargo("guest-examples/shop", &["nextest", "run", "--workspace"])
}

/// The SDKs and what is built on them, without a host.
fn sdks() -> Result<()> {
    guest_cargo(
        RUST_SDK,
        &["clippy", "--all-targets", "--", "-D", "warnings"],
    )?;
    guest_cargo(RUST_SDK, &["test", "--quiet"])?;
    for project in ["wit/sdk/python", "guest-examples/shop-python"] {
        python_sdk(project)?;
    }
    for project in ["wit/sdk/go", "guest-examples/shop-go"] {
        go_sdk(project)?;
    }
    javascript_sdk()
}

/// Cargo in a workspace of guests, which share what they compile.
fn guest_cargo(workspace: &str, arguments: &[&str]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(repository::path(workspace))
        .env("CARGO_TARGET_DIR", repository::path("target/guest-build"))
        .args(arguments);
    command::run(&mut cargo)
}

/// The tests of a folder over the Python SDK and its fakes.
fn python_sdk(project: &str) -> Result<()> {
    let fakes = repository::path("wit/sdk/python/test");
    let project = repository::path(project);
    let paths = env::join_paths([&project, &fakes, &project::python_sdk()?])?;
    let mut python = Command::new(project::python());
    python
        .current_dir(&project)
        .env("PYTHONPATH", paths)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // The failures that handlers log are expected.
        .args([
            "-m",
            "unittest",
            "discover",
            "--quiet",
            "--buffer",
            "--start-directory",
            "test",
        ]);
    command::run(&mut python)
}

/// The tests of a folder in Go, which the compiler runs outside of any host.
fn go_sdk(project: &str) -> Result<()> {
    for arguments in [
        ["vet", "-unsafeptr=false", "./..."],
        ["test", "-count=1", "./..."],
    ] {
        let mut go = Command::new(project::go()?);
        go.current_dir(repository::path(project)).args(arguments);
        command::run(&mut go)?;
    }
    Ok(())
}

/// With a host made of fakes.
fn javascript_sdk() -> Result<()> {
    let mut node = Command::new("node");
    node.current_dir(repository::root())
        .env("BERTH_TOOLS", project::tools())
        .args([
            "--import",
            "./wit/sdk/javascript/test/support/register.mjs",
            "--test",
        ]);
    for folder in [
        "wit/sdk/javascript/test",
        "guest-examples/shop-typescript/test",
    ] {
        node.args(javascript_tests(folder)?);
    }
    command::run(&mut node)
}

fn javascript_tests(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = repository::path(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut tests = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".test.js") || name.ends_with(".test.ts") {
            tests.push(path);
        }
    }
    tests.sort();
    Ok(tests)
}
