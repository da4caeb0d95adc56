//! `berth` as a process.

use crate::{
    paths,
    server::{self, Server},
    settings::Settings,
};
use anyhow::{Context, Result, bail};
use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Limits that no measurement reaches.
const LIMITS: &str = "{ cpuTime: 10m, timeout: 10m, concurrency: 1000 }";

/// The binary that was built together with the benchmarks.
pub fn beside_the_benchmarks() -> Result<PathBuf> {
    let bench = env::current_exe().context("finding the benchmarks' own binary")?;
    let binary = bench.with_file_name("berth");
    if !binary.is_file() {
        bail!(
            "{} is missing; this line builds it and runs the benchmarks:\n  cargo xtask bench",
            binary.display()
        );
    }
    Ok(binary)
}

/// An app of a host under test.
pub struct App<'a> {
    /// Its ID, and the path of the ingress that leads to it: `/<name>`.
    pub name: &'a str,
    pub guest: &'a Path,
    /// Calls that an instance serves.
    pub reuse: u32,
}

impl<'a> App<'a> {
    /// With a fresh instance for every call.
    pub fn fresh(name: &'a str, guest: &'a Path) -> Self {
        Self {
            name,
            guest,
            reuse: 1,
        }
    }

    fn document(&self) -> String {
        let Self { name, guest, reuse } = self;
        format!(
            "apiVersion: berth.dev/v1alpha1\n\
             kind: App\n\
             metadata: {{ name: {name} }}\n\
             spec:\n  \
               guest: {}\n  \
               http: {{ paths: [/{name}] }}\n  \
               limits: {LIMITS}\n  \
               instances: {{ reuse: {reuse} }}\n",
            guest.display()
        )
    }
}

/// Runs one guest with no document at all, as `berth run hello.wasm` does. `data` keeps the compiled guest.
pub fn run_guest(settings: &Settings, guest: &Path, data: &Path) -> Result<Server> {
    run(settings, guest, data, "/")
}

/// Runs a guest with state in memory and a door for native programs, which is where the server is said to listen.
pub fn run_dapr_http(settings: &Settings, guest: &Path, folder: &Path) -> Result<Server> {
    let address = server::free_address()?;
    let port = address.port().to_string();
    let in_memory = paths::root().join("components/in-memory");
    let mut command = command(settings, guest, folder);
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(["--dapr-http-port", &port])
        .arg("--resources-path")
        .arg(in_memory);
    let log = folder.join("berth.log");
    Server::start(&mut command, address, "/v1.0/metadata", &log)
}

/// Runs apps with state and topics in memory. `folder` gets the documents and keeps the compiled guests.
pub fn run_apps(settings: &Settings, folder: &Path, apps: &[App<'_>]) -> Result<Server> {
    let documents = folder.join("documents");
    fs::create_dir_all(&documents)?;
    let in_memory = paths::root().join("components/in-memory");
    for file in ["statestore.yaml", "pubsub.yaml"] {
        fs::copy(in_memory.join(file), documents.join(file))?;
    }
    let mut text = String::new();
    for app in apps {
        writeln!(text, "---\n{}", app.document())?;
    }
    fs::write(documents.join("apps.yaml"), text)?;
    let first = apps.first().context("a host needs an app")?;
    run(settings, &documents, folder, &format!("/{}", first.name))
}

fn run(settings: &Settings, what: &Path, data: &Path, path: &str) -> Result<Server> {
    let address = server::free_address()?;
    let mut command = command(settings, what, data);
    command
        .args(["--listen", &address.to_string()])
        .args(["--dapr-http-port", "off"]);
    Server::start(&mut command, address, path, &data.join("berth.log"))
}

/// `berth run` but for its ports.
fn command(settings: &Settings, what: &Path, data: &Path) -> Command {
    let mut command = Command::new(&settings.berth);
    command
        .current_dir(data)
        .arg("run")
        .arg(what)
        .arg("--data-dir")
        .arg(data.join("data"))
        .arg("--cache-dir")
        .arg(data.join("cache"))
        .args(["--admin", "127.0.0.1:0"])
        .args(["--log-level", "warn"]);
    command
}
