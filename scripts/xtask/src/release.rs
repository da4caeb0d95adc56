//! `cargo xtask release`: berth for production, compiled for what a host does. A first build counts, while the benchmarks
//! load it, which way its code goes; the second one inlines and lays out the code by that.

use crate::toolchain::rust;
use crate::{bench, command, repository};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Measurements that load every part of a host that a call passes.
const LOAD: &str = "http_fresh,http_reused,cold_start,wit_call,invocation,state_sqlite,pubsub_sqlite,state_redis,\
                    pubsub_redis,state_postgresql,dapr_http_state,workflow_engine";
/// What comes with LLVM, in the version that rustc has.
const COMPONENT: &str = "llvm-tools";

/// Builds it, and says where it lies.
pub fn run() -> Result<()> {
    bench::prepare()?;
    let host = host()?;
    let merger = profile_merger(&host)?;
    let (counts, profile) = (path("counts"), path("profile"));
    if counts.exists() {
        fs::remove_dir_all(&counts).context("removing the counts of an earlier build")?;
    }
    let flags = format!("-Cprofile-generate={}", counts.display());
    let counting = build("counting", &host, &flags, &["berth", "berth-bench"])?;
    println!("berth under load, which counting slows down: these figures say nothing");
    let mut load = Command::new(counting.join("berth-bench"));
    load.args(["--quick", "--only", LOAD, "--berth"]);
    command::run(load.arg(counting.join("berth")))?;
    let mut merge = Command::new(merger);
    merge.args(["merge", "--output"]).args([&profile, &counts]);
    command::run(&mut merge)?;
    let flags = format!("-Cprofile-use={}", profile.display());
    let tuned = build("tuned", &host, &flags, &["berth"])?;
    println!("{}", tuned.join("berth").display());
    Ok(())
}

fn path(name: &str) -> PathBuf {
    repository::path("target/release-tuned").join(name)
}

/// The target of this machine, such as `x86_64-unknown-linux-gnu`.
fn host() -> Result<String> {
    let version = command::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// The program that makes a profile of counts.
fn profile_merger(host: &str) -> Result<PathBuf> {
    let merger = rust::library(host)?.join("bin/llvm-profdata");
    if !merger.exists() {
        let mut rustup = Command::new("rustup");
        rustup.args(["component", "add", COMPONENT]);
        let installed = command::succeeds(&mut rustup) && merger.exists();
        let line = command::line(&rustup);
        ensure!(
            installed,
            "{} is missing; this installs it: {line}",
            merger.display()
        );
    }
    Ok(merger)
}

/// Builds binaries in a target directory of its own. The target is named, so that build scripts and macros do not get the
/// flags: they would count as well.
fn build(folder: &str, host: &str, flags: &str, binaries: &[&str]) -> Result<PathBuf> {
    let folder = path(folder);
    let mut build = repository::cargo();
    build
        .args(["build", "--release", "--workspace"])
        .args(["--target", host])
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    for binary in binaries {
        build.args(["--bin", binary]);
    }
    command::run(&mut build)?;
    Ok(folder.join(host).join("release"))
}
