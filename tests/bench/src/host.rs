//! `berth` as a process.

use crate::{
    http, paths,
    server::{self, Server},
    settings::Settings,
};
use anyhow::{Context, Result, bail};
use std::{
    env,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Where metrics are read.
pub struct Host {
    server: Server,
    admin: SocketAddr,
}

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

/// Calls of an instance that is used again.
pub const REUSE: u32 = 1000;

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
    Ok(run(settings, guest, data, "/")?.server)
}

/// The same under a Configuration.
pub fn run_configured(
    settings: &Settings,
    guest: &Path,
    config: &Path,
    data: &Path,
) -> Result<Server> {
    let mut command = command(settings, guest, data);
    command.arg("--config").arg(config);
    Ok(serve(&mut command, data, "/")?.server)
}

/// Runs a guest on the backends of some documents, with a door for native programs, which is where the server is said
/// to listen. The programs are the app `hello`.
pub fn run_dapr_http(settings: &Settings, folder: &Path, backends: &str) -> Result<Server> {
    let address = server::free_address();
    let port = address.port().to_string();
    let hello = paths::guest("hello")?;
    let documents = documents(folder, backends, &[App::fresh("hello", &hello)])?;
    let mut command = command(settings, &documents, folder);
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(["--admin", "127.0.0.1:0"])
        .args(["--dapr-http-port", &port]);
    let log = folder.join("berth.log");
    Server::start(&mut command, address, "/v1.0/metadata", &log)
}

/// Runs an app on a host among others of the user whose folder is `user`, with a door for native programs, which is where
/// the server is said to listen.
pub fn run_neighbour(
    settings: &Settings,
    folder: &Path,
    user: &Path,
    app: &App<'_>,
) -> Result<Server> {
    let address = server::free_address();
    let port = address.port().to_string();
    let documents = documents(folder, &in_memory()?, std::slice::from_ref(app))?;
    let mut command = command(settings, &documents, folder);
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(["--admin", "127.0.0.1:0"])
        .args(["--dapr-http-port", &port])
        .arg("--user-dir")
        .arg(user);
    let log = folder.join("berth.log");
    Server::start(&mut command, address, "/v1.0/metadata", &log)
}

/// The documents of state and topics in memory.
pub fn in_memory() -> Result<String> {
    let folder = paths::root().join("components/in-memory");
    let read =
        |file| fs::read_to_string(folder.join(file)).with_context(|| format!("reading {file}"));
    Ok([read("statestore.yaml")?, read("pubsub.yaml")?].join("---\n"))
}

/// The document of a backend, metadata in pairs.
pub fn backend(name: &str, kind: &str, version: &str, metadata: &[(&str, &str)]) -> String {
    let mut text = format!(
        "---\n\
         apiVersion: dapr.io/v1alpha1\n\
         kind: Component\n\
         metadata: {{ name: {name} }}\n\
         spec:\n  \
           type: {kind}\n  \
           version: {version}\n  \
           metadata:\n"
    );
    for (name, value) in metadata {
        let _ = writeln!(text, "    - {{ name: {name}, value: {value:?} }}");
    }
    text
}

/// Runs apps on the backends of some documents. `folder` gets all documents and keeps the compiled guests.
pub fn run_apps(
    settings: &Settings,
    folder: &Path,
    backends: &str,
    apps: &[App<'_>],
) -> Result<Host> {
    let documents = documents(folder, backends, apps)?;
    let first = apps.first().context("a host needs an app")?;
    run(settings, &documents, folder, &format!("/{}", first.name))
}

/// Runs an app on a host among others of the user whose folder is `user`; it is up when it answers `path`.
pub fn run_beside(
    settings: &Settings,
    folder: &Path,
    user: &Path,
    app: &App<'_>,
    path: &str,
) -> Result<Host> {
    let documents = documents(folder, &in_memory()?, std::slice::from_ref(app))?;
    let mut command = command(settings, &documents, folder);
    command.arg("--user-dir").arg(user);
    serve(&mut command, folder, path)
}

/// Runs a project that is built again when its source changes; it is up when it answers `path`.
pub fn run_watched(settings: &Settings, project: &Path, data: &Path, path: &str) -> Result<Host> {
    let mut command = command(settings, project, data);
    command
        .arg("--watch")
        .arg("--tools-dir")
        .arg(paths::kept("tools")?);
    serve(&mut command, data, path)
}

/// Writes all documents into a folder below `folder`.
fn documents(folder: &Path, backends: &str, apps: &[App<'_>]) -> Result<PathBuf> {
    let documents = folder.join("documents");
    fs::create_dir_all(&documents)?;
    fs::write(documents.join("backends.yaml"), backends)?;
    let mut text = String::new();
    for app in apps {
        writeln!(text, "---\n{}", app.document())?;
    }
    fs::write(documents.join("apps.yaml"), text)?;
    Ok(documents)
}

fn run(settings: &Settings, what: &Path, data: &Path, path: &str) -> Result<Host> {
    serve(&mut command(settings, what, data), data, path)
}

fn serve(command: &mut Command, data: &Path, path: &str) -> Result<Host> {
    let (address, admin) = (server::free_address(), server::free_address());
    command
        .args(["--listen", &address.to_string()])
        .args(["--dapr-http-port", "off"])
        .args(["--admin", &admin.to_string()]);
    let server = Server::start(command, address, path, &data.join("berth.log"))?;
    Ok(Host { server, admin })
}

impl Deref for Host {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for Host {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

impl Host {
    /// Messages that guests have handled.
    pub fn delivered(&self) -> Result<u64> {
        Ok(self.metric("berth_deliveries_total")? as u64)
    }

    /// A metric, summed over its labels; 0 where it was never set.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let text = http::get(self.admin, "/metrics", PATIENCE)?;
        let series = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let values = series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }
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
        .args(["--log-level", "warn"]);
    command
}
