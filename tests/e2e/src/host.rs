//! A host that runs: the process, where it listens, what it says.

use crate::{
    Client, Finished, Memory, Node, Record,
    command::{Berth, berth, berth_in},
    eventually,
};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::Value;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    ffi::{OsStr, OsString},
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Child;

/// Guests may have to be compiled first, and the largest takes a minute when two cores have other work.
const START_BOUND: Duration = Duration::from_secs(300);
/// Longer than a host drains.
const STOP_BOUND: Duration = Duration::from_secs(60);
/// Lines of the log that a failed test shows.
const LOG_TAIL: usize = 60;

/// How a host is started.
#[derive(Debug, Clone, Default)]
pub struct HostBuilder {
    source: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    data: Option<PathBuf>,
    text_log: bool,
    namespace: Option<String>,
}

impl HostBuilder {
    /// The folder of documents, or the guest, that it runs.
    #[must_use]
    pub fn source(mut self, source: impl Into<PathBuf>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// One more argument of `berth run`.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Guests are compiled in a sixth of the time: for those with the engine of a language in them, which take half a
    /// minute else. `contract` has every language as it is run in production.
    #[must_use]
    pub fn baseline(self) -> Self {
        self.arg("--compiler").arg("baseline")
    }

    /// An environment variable of the host.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A data directory that outlives the host; without it, one of its own.
    #[must_use]
    pub fn data_dir(mut self, data: impl Into<PathBuf>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// At a place of a network, where nothing but its ingress and other hosts can be reached from here.
    #[must_use]
    pub fn at(mut self, node: &Node) -> Self {
        self.namespace = Some(node.namespace().to_owned());
        let address = format!("{}:0", node.address());
        self.arg("--listen")
            .arg(&address)
            .arg("--mesh-listen")
            .arg(&address)
    }

    /// Speaks to people: text instead of JSON.
    #[must_use]
    pub fn text_log(mut self) -> Self {
        self.text_log = true;
        self
    }

    /// Starts the host and waits until it serves.
    ///
    /// # Errors
    /// It ends, or does not serve in time. The text has what it said.
    pub async fn start(self) -> Result<Host> {
        let scratch = tempfile::Builder::new().prefix("berth-e2e-").tempdir();
        let scratch = scratch.context("making a folder for a host")?;
        let data = self
            .data
            .clone()
            .unwrap_or_else(|| scratch.path().join("data"));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut host = Host {
            builder: self,
            data,
            scratch,
            starts: 0,
            process: None,
            client: Client::new(nowhere)?,
            admin: Client::new(nowhere)?,
            dapr: BTreeMap::new(),
        };
        host.start().await?;
        Ok(host)
    }

    /// Runs a host that is expected not to come up, to its end.
    ///
    /// # Errors
    /// It does not end.
    pub async fn refused(self) -> Result<Finished> {
        let scratch = tempfile::tempdir()?;
        let data = self
            .data
            .clone()
            .unwrap_or_else(|| scratch.path().join("data"));
        self.command(&data)?.run().await
    }

    fn command(&self, data: &Path) -> Result<Berth> {
        let mut command = self.berth(["run"])?;
        if let Some(source) = &self.source {
            command = command.arg(source);
        }
        if !self.names("--listen") {
            command = command.arg("--listen").arg("127.0.0.1:0");
        }
        if !self.names("--admin") {
            command = command.arg("--admin").arg("127.0.0.1:0");
        }
        if !self.names("--dapr-http-port") {
            command = command.arg("--dapr-http-port").arg("0");
        }
        command = command.arg("--data-dir").arg(data);
        if !self.names("--user-dir") {
            // Hosts of other tests are no neighbours.
            command = command.arg("--user-dir").arg(data.join("user"));
        }
        if !self.text_log {
            command = command
                .arg("--output")
                .arg("json")
                .arg("--log-format")
                .arg("json");
        }
        for argument in &self.arguments {
            command = command.arg(argument);
        }
        for (name, value) in &self.environment {
            command = command.env(name, value);
        }
        Ok(command)
    }

    fn berth<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Result<Berth> {
        match &self.namespace {
            Some(namespace) => berth_in(namespace, arguments),
            None => berth(arguments),
        }
    }

    fn names(&self, flag: &str) -> bool {
        self.arguments.iter().any(|argument| argument == flag)
    }
}

/// A running host. Dropped: killed, and what it said is printed, which a test runner shows if the test failed.
#[derive(Debug)]
pub struct Host {
    builder: HostBuilder,
    data: PathBuf,
    scratch: TempDir,
    /// How often it was started: each start has logs of its own.
    starts: u32,
    process: Option<Child>,
    client: Client,
    admin: Client,
    /// Doors for native programs, by the app that calls: `app.namespace`.
    dapr: BTreeMap<String, Client>,
}

impl Host {
    /// A host with ports and data of its own.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// A host that runs this folder of documents, or this guest.
    ///
    /// # Errors
    /// As [`HostBuilder::start`].
    pub async fn run(source: impl Into<PathBuf>) -> Result<Self> {
        Self::builder().source(source).start().await
    }

    /// The client of its ingress.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client of its admin API, token included.
    #[must_use]
    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// The client of its Dapr HTTP API through which an app calls, `app` or `app.namespace`.
    ///
    /// # Errors
    /// The host has no such door.
    pub fn dapr(&self, app: &str) -> Result<&Client> {
        let name = match app.contains('.') {
            true => app.to_owned(),
            false => format!("{app}.default"),
        };
        let door = self.dapr.get(&name);
        door.with_context(|| format!("no door for {name}, but {:?}", self.dapr.keys()))
    }

    /// Who calls through its Dapr HTTP API, as `app.namespace`.
    #[must_use]
    pub fn dapr_callers(&self) -> Vec<&str> {
        self.dapr.keys().map(String::as_str).collect()
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Where other hosts reach it.
    ///
    /// # Errors
    /// It is alone.
    pub fn mesh_address(&self) -> Result<String> {
        let text = fs::read(self.data.join("host.json")).context("reading host.json")?;
        let file: Value = serde_json::from_slice(&text)?;
        Ok(file["mesh"].as_str().context("it is alone")?.to_owned())
    }

    /// Its process ID.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> Result<u32> {
        let process = self.process.as_ref().context("the host does not run")?;
        process.id().context("the host has ended")
    }

    /// What it has of memory.
    ///
    /// # Errors
    /// It does not run.
    pub fn memory(&self) -> Result<Memory> {
        Memory::of(self.pid()?)
    }

    /// `berth <arguments>` for this host.
    ///
    /// # Errors
    /// There is no binary.
    pub fn berth<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Result<Berth> {
        let berth = self.builder.berth(arguments)?;
        Ok(berth.arg("--data-dir").arg(&self.data))
    }

    /// A metric's value, summed over the series whose labels contain all of `labels`, such as `app="hostile"`.
    ///
    /// # Errors
    /// No answer.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        let metrics = self.admin.get("/metrics").await?.text();
        let series = metrics.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let named = series.split('{').next() == Some(name);
            let labelled = labels.iter().all(|label| series.contains(label));
            (named && labelled).then(|| value.parse::<f64>().ok())?
        });
        Ok(series.sum())
    }

    /// Its log records since its last start.
    #[must_use]
    pub fn log(&self) -> Vec<Record> {
        Record::read(&self.log_path())
    }

    /// Waits for a log record.
    ///
    /// # Errors
    /// None came.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Record) -> bool) -> Result<Record> {
        eventually(
            &format!("a log record: {what}"),
            crate::timely(),
            async || {
                let found = self.log().into_iter().find(|record| wanted(record));
                found.ok_or_else(|| format!("{} other records", self.log().len()))
            },
        )
        .await
    }

    /// Everything that it wrote since its last start, for assertions about text.
    #[must_use]
    pub fn said(&self) -> String {
        let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        format!("{}{}", read(self.output_path()), read(self.log_path()))
    }

    /// `kill -9`, and waits until the process is gone.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill9(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the host does not run")?;
        process.kill().await.context("killing the host")
    }

    /// SIGSTOP: it hangs, with every connection open.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// SIGTERM, without waiting.
    ///
    /// # Errors
    /// It does not run.
    pub fn ask_to_stop(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// From now on it can open neither files nor sockets; what is open stays.
    ///
    /// # Errors
    /// It does not run.
    pub fn take_files(&self) -> Result<()> {
        self.limit_files(Some(0))
    }

    /// It can open as many as it could when it was started.
    ///
    /// # Errors
    /// It does not run.
    pub fn give_files_back(&self) -> Result<()> {
        self.limit_files(getrlimit(Resource::Nofile).maximum)
    }

    fn limit_files(&self, current: Option<u64>) -> Result<()> {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current, maximum };
        prlimit(Some(self.process_id()?), Resource::Nofile, limit)
            .context("limiting the host's files")?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.process_id()?, signal).context("sending a signal to the host")
    }

    fn process_id(&self) -> Result<Pid> {
        Pid::from_raw(self.pid()?.cast_signed()).context("no process has the ID 0")
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// It does not end.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the host does not run")?;
        let ended = tokio::time::timeout(STOP_BOUND, process.wait()).await;
        let ended =
            ended.with_context(|| format!("the host runs {STOP_BOUND:?} after it was to stop"))?;
        ended.context("waiting for the host")
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// It does not end.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.ask_to_stop()?;
        self.ended().await
    }

    /// Starts it again on the same data.
    ///
    /// # Errors
    /// As [`HostBuilder::start`].
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.kill9().await?;
        }
        self.start().await
    }

    /// Starts it again and leaves it alone: it may be killed before it serves.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn restart_unwatched(&mut self) -> Result<()> {
        self.spawn()
    }

    async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        let begun = eventually("the host serves", START_BOUND, async || {
            self.readiness().await
        });
        let ready = begun.await?;
        if let Readiness::Ended(status) = ready {
            let said = self.said();
            self.process = None;
            bail!("the host ended with {status} before it served:\n{said}");
        }
        Ok(())
    }

    fn spawn(&mut self) -> Result<()> {
        self.starts += 1;
        let output = File::create(self.output_path()).context("making a file for the output")?;
        let log = File::create(self.log_path()).context("making a file for the log")?;
        let mut command = self.builder.command(&self.data)?.into_command();
        command.stdout(Stdio::from(output)).stderr(Stdio::from(log));
        self.process = Some(command.spawn().context("starting the host")?);
        Ok(())
    }

    async fn readiness(&mut self) -> Result<Readiness, String> {
        let process = self.process.as_mut().ok_or("it was not started")?;
        if let Some(status) = process.try_wait().map_err(|error| error.to_string())? {
            return Ok(Readiness::Ended(status));
        }
        let addresses = Addresses::read(&self.data.join("host.json"))?;
        if Some(addresses.pid) != process.id().map(u64::from) {
            // Of the host before this one, which was killed.
            return Err(format!("host.json is of process {}", addresses.pid));
        }
        self.client.moved(addresses.ingress, None);
        self.admin.moved(addresses.admin, Some(addresses.token));
        for (caller, address) in addresses.dapr {
            let door = match self.dapr.entry(caller) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(Client::new(address).map_err(|error| format!("{error:#}"))?)
                }
            };
            door.moved(address, None);
        }
        if self.builder.namespace.is_some() {
            // The admin API is on the loopback of that place; the file is written when all is ready.
            return Ok(Readiness::Serves);
        }
        match self.admin.get("/healthz").await {
            Ok(answer) if answer.status == 204 => Ok(Readiness::Serves),
            Ok(answer) => Err(format!("health: {answer}")),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    fn output_path(&self) -> PathBuf {
        self.scratch.path().join(format!("stdout-{}", self.starts))
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join(format!("stderr-{}", self.starts))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let said = self.said();
        let lines: Vec<_> = said.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LOG_TAIL)..];
        eprintln!(
            "--- the host (start {}) said last:\n{}\n---",
            self.starts,
            tail.join("\n")
        );
    }
}

enum Readiness {
    Serves,
    Ended(ExitStatus),
}

/// What `host.json` says.
struct Addresses {
    pid: u64,
    ingress: SocketAddr,
    admin: SocketAddr,
    token: String,
    /// By `app.namespace`.
    dapr: Vec<(String, SocketAddr)>,
}

impl Addresses {
    fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("host.json: {error}"))?;
        let json: Value =
            serde_json::from_str(&text).map_err(|error| format!("host.json: {error}"))?;
        let text = |name: &str| {
            json[name]
                .as_str()
                .ok_or_else(|| format!("host.json has no {name}: {json}"))
        };
        let parsed = |name: &str, url: &str| {
            let address = url.trim_start_matches("http://").trim_end_matches('/');
            let parsed = address.parse::<SocketAddr>();
            parsed.map_err(|error| format!("{name} of host.json, {address}: {error}"))
        };
        let address = |name: &str| parsed(name, text(name)?);
        let doors = json["daprHttp"].as_array().into_iter().flatten();
        let dapr = doors.map(|door| {
            let part = |name: &str| door[name].as_str().unwrap_or_default();
            let caller = format!("{}.{}", part("appId"), part("namespace"));
            Ok((caller, parsed("daprHttp", part("url"))?))
        });
        Ok(Self {
            dapr: dapr.collect::<Result<_, String>>()?,
            pid: json["pid"].as_u64().unwrap_or_default(),
            ingress: address("http")?,
            admin: address("admin")?,
            token: text("token")?.to_owned(),
        })
    }
}
