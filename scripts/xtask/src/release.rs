//! `cargo xtask release`: berth for production, compiled for what a host does. A first build counts, while the benchmarks
//! load it, which way its code goes; the second one inlines and lays out the code by that.

use crate::{bench, command, repository};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Measurements that load every part of a host that a call passes.
const LOAD: &str = "http_fresh,http_reused,cold_start,wit_call,invocation,state_sqlite,pubsub_sqlite,state_redis,\
                    pubsub_redis,state_postgresql,dapr_http_state,workflow_engine";
/// What comes with LLVM, in the version that rustc has.
const COMPONENT: &str = "rustup component add llvm-tools";

/// Builds it, and says where it lies.
pub fn run() -> Result<()> {
    bench::prepare()?;
    let rust = Rust::find()?;
    let merger = rust.profile_merger()?;
    let (counts, profile) = (path("counts"), path("profile"));
    if counts.exists() {
        fs::remove_dir_all(&counts).context("removing the counts of an earlier build")?;
    }
    let flags = format!("-Cprofile-generate={}", counts.display());
    let counting = rust.build("counting", &flags, &["berth", "berth-bench"])?;
    println!("berth under load, which counting slows down: these figures say nothing");
    let mut load = Command::new(counting.join("berth-bench"));
    load.args(["--quick", "--only", LOAD, "--berth"]);
    command::run(load.arg(counting.join("berth")))?;
    let mut merge = Command::new(merger);
    merge.args(["merge", "--output"]).args([&profile, &counts]);
    command::run(&mut merge)?;
    let flags = format!("-Cprofile-use={}", profile.display());
    let tuned = rust.build("tuned", &flags, &["berth"])?;
    println!("{}", tuned.join("berth").display());
    Ok(())
}

fn path(name: &str) -> PathBuf {
    repository::path("target/release-tuned").join(name)
}

/// The compiler that cargo uses.
struct Rust {
    /// Such as `x86_64-unknown-linux-gnu`.
    host: String,
    sysroot: PathBuf,
}

impl Rust {
    fn find() -> Result<Self> {
        let version = command::output(Command::new("rustc").arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let sysroot = command::output(Command::new("rustc").args(["--print", "sysroot"]))?;
        Ok(Self {
            host: host.context("`rustc -vV` names no host")?.to_owned(),
            sysroot: Path::new(sysroot.trim()).to_owned(),
        })
    }

    fn profile_merger(&self) -> Result<PathBuf> {
        let tools = self
            .sysroot
            .join("lib/rustlib")
            .join(&self.host)
            .join("bin");
        let merger = tools.join("llvm-profdata");
        if !merger.exists() {
            let mut words = COMPONENT.split(' ');
            let installed = words
                .next()
                .is_some_and(|program| command::succeeds(Command::new(program).args(words)));
            ensure!(
                installed && merger.exists(),
                "{} is missing; this line installs it: {COMPONENT}",
                merger.display()
            );
        }
        Ok(merger)
    }

    /// Builds binaries in a target directory of its own. The target is named, so that build scripts and macros do not get
    /// the flags: they would count as well.
    fn build(&self, folder: &str, flags: &str, binaries: &[&str]) -> Result<PathBuf> {
        let folder = path(folder);
        let mut build = repository::cargo();
        build
            .args(["build", "--release", "--workspace"])
            .args(["--target", &self.host])
            .arg("--target-dir")
            .arg(&folder)
            .env("CARGO_ENCODED_RUSTFLAGS", flags);
        for binary in binaries {
            build.args(["--bin", binary]);
        }
        command::run(&mut build)?;
        Ok(folder.join(&self.host).join("release"))
    }
}
