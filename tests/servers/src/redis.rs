//! Redis: one server, a Cluster, a master with sentinels.

mod cluster;
mod sentinel;

pub use cluster::RedisCluster;
pub use sentinel::RedisSentinel;

use crate::{Authority, Certificate, Process, free_port, program};
use std::{path::Path, process::Command};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How often another port is tried when somebody took the first one.
const PORTS_TRIED: usize = 5;

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    arguments: Vec<String>,
    tls: bool,
}

impl RedisOptions {
    /// A server that keeps nothing on disk and lets everybody in.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One line of `redis.conf`, such as `["requirepass", "secret"]`.
    #[must_use]
    pub fn with(mut self, line: &[&str]) -> Self {
        let [name, values @ ..] = line else {
            return self;
        };
        self.arguments.push(format!("--{name}"));
        self.arguments
            .extend(values.iter().map(|value| (*value).to_owned()));
        self
    }

    /// Every write is on the disk when it is answered.
    #[must_use]
    pub fn durable(self) -> Self {
        self.with(&["appendonly", "yes"])
            .with(&["appendfsync", "always"])
    }

    /// The port speaks TLS only, with the server's own certificate; clients need one of `authority` if `clients` says
    /// so.
    #[must_use]
    pub fn tls(mut self, authority: &Authority, own: &Certificate, clients: ClientTls) -> Self {
        self.tls = true;
        let clients = match clients {
            ClientTls::Asked => "yes",
            ClientTls::Anonymous => "no",
        };
        self.with(&["tls-cert-file", &text(&own.certificate)])
            .with(&["tls-key-file", &text(&own.key)])
            .with(&["tls-ca-cert-file", &text(&authority.certificate())])
            .with(&["tls-auth-clients", clients])
    }
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTls {
    /// They must.
    Asked,
    /// They need none.
    Anonymous,
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// One server. Ended when dropped.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    options: RedisOptions,
    directory: TempDir,
}

impl Redis {
    /// A running server on a free port.
    pub async fn start(options: RedisOptions) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (process, port) = start_on_free_port(directory.path(), &options, "redis-server").await;
        Self {
            process,
            port,
            options,
            directory,
        }
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and data.
    pub async fn restart(&mut self) {
        self.process.kill();
        let (process, running) = launch(
            self.directory.path(),
            &self.options,
            self.port,
            "redis-server",
        )
        .await;
        self.process = process;
        assert!(running, "the port was taken:\n{}", self.process.log());
    }

    /// SIGSTOP.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// What the server said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

async fn start_on_free_port(
    directory: &Path,
    options: &RedisOptions,
    program: &str,
) -> (Process, u16) {
    for _ in 0..PORTS_TRIED {
        let port = free_port();
        let (process, running) = launch(directory, options, port, program).await;
        if running {
            return (process, port);
        }
    }
    panic!("no free port for {program}");
}

/// Starts a server; false if it ended since its port is taken.
async fn launch(
    directory: &Path,
    options: &RedisOptions,
    port: u16,
    name: &str,
) -> (Process, bool) {
    let package = if name == "redis-sentinel" {
        "redis-sentinel"
    } else {
        "redis-server"
    };
    let mut command = Command::new(program(name, package));
    let number = port.to_string();
    let (plain, tls) = if options.tls {
        ("0", number.as_str())
    } else {
        (number.as_str(), "0")
    };
    if name == "redis-sentinel" {
        command.arg(directory.join("sentinel.conf"));
    }
    command
        .current_dir(directory)
        .args(["--port", plain, "--bind", "127.0.0.1", "--dir"])
        .arg(directory)
        .args(["--daemonize", "no"]);
    if name != "redis-sentinel" {
        command.args(["--save", "", "--tls-port", tls]);
        command.args(&options.arguments);
    }
    let log = directory.join("log");
    let before = std::fs::read_to_string(&log).map_or(0, |text| text.len());
    let mut process = Process::start(&mut command, &log).expect("the server starts");
    let mut taken = false;
    process
        .ready(async || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let text = text.get(before..).unwrap_or_default();
            taken = text.contains("Address already in use");
            taken
                || (text.contains("Ready to accept") || text.contains("Sentinel ID is"))
                    && TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
    (process, !taken)
}

/// Sends one command to a server without TLS or password and returns what it answers, as it stands on the wire: enough
/// to set servers up.
async fn ask(port: u16, command: &[&str]) -> String {
    let mut request = format!("*{}\r\n", command.len());
    for part in command {
        request.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    let answer = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = vec![0; 64 << 10];
        let length = stream.read(&mut answer).await?;
        answer.truncate(length);
        Ok::<_, std::io::Error>(answer)
    };
    answer.await.map_or_else(
        |error| error.to_string(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// Waits for a condition of servers that come together by themselves.
async fn wait_for(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !ask().await {
        assert!(began.elapsed().as_secs() < 120, "it takes too long: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
