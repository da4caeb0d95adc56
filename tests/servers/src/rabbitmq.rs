//! RabbitMQ from Debian's package, without plugins.

use crate::{Authority, Own, Process, Shareable, Shared, free_port, program, shared};
use std::{
    io,
    path::Path,
    process::{Command, Stdio},
    sync::Weak,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

const PACKAGE: &str = "rabbitmq-server";

/// Virtual hosts besides `/`, for tests that share a broker and cannot choose the names of their topics.
const VIRTUAL_HOSTS: usize = 16;

static OWN: Own<RabbitMq> = Own::const_new(Weak::new());

/// A broker with its own port, data and name server, so that several run side by side.
#[derive(Debug)]
pub struct RabbitMq {
    server: Process,
    /// Erlang's name server: without one of its own, a broker would find the nodes of others.
    names: Process,
    ports: Ports,
    folder: TempDir,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    names: u16,
    nodes: u16,
}

impl Shareable for RabbitMq {
    const NAME: &'static str = "rabbitmq";
    const VARIABLE: &'static str = "BERTH_TEST_RABBITMQ";

    async fn start() -> Self {
        Self::start().await
    }

    fn address(&self) -> String {
        self.url()
    }
}

impl RabbitMq {
    /// The broker of this run, or of this process: tests use topics with names of their own.
    pub async fn shared() -> Shared<Self> {
        shared(&OWN).await
    }

    /// A part of the broker of [`shared`](Self::shared) that is apart from the others, by number: `host:port/vhost`.
    ///
    /// # Panics
    /// There are not so many.
    #[must_use]
    pub fn part_of(shared: &Shared<Self>, number: usize) -> String {
        assert!(number < VIRTUAL_HOSTS, "more than {VIRTUAL_HOSTS} parts");
        let address = shared.address.rsplit('@').next().unwrap_or_default();
        let server = address.split('/').next().unwrap_or_default();
        format!("{server}/{}", virtual_host(number))
    }

    /// Starts a broker and waits until it answers, which takes several seconds.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory for the broker");
        Self::start_in(folder, plain).await
    }

    /// With TLS only, by a certificate of `authority` for `localhost`; clients must show one, too.
    pub async fn start_tls(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a directory for the broker");
        let server = authority.issue("localhost");
        let files = [
            ("cacertfile", authority.certificate()),
            ("certfile", server.certificate),
            ("keyfile", server.key),
        ];
        let files = files.map(|(option, path)| {
            let copy = folder.path().join(option);
            std::fs::copy(path, &copy).expect("a copy of a certificate");
            format!("ssl_options.{option} = {}\n", copy.display())
        });
        let options = "ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n";
        let options = files.concat() + options;
        let listener = |port| {
            format!(
                "listeners.tcp = none\n\
                 listeners.ssl.1 = 127.0.0.1:{port}\n\
                 num_acceptors.ssl = 2\n\
                 {options}"
            )
        };
        Self::start_in(folder, listener).await
    }

    async fn start_in(folder: TempDir, listener: impl Fn(u16) -> String) -> Self {
        let ports = Ports {
            amqp: free_port(),
            names: free_port(),
            nodes: free_port(),
        };
        let listener = listener(ports.amqp);
        configure(folder.path(), &listener).expect("the broker's configuration");
        let names = start_names(folder.path(), ports).expect("Erlang's name server starts");
        let server = start_server(folder.path(), ports).expect("the broker starts");
        let mut own = Self {
            server,
            names,
            ports,
            folder,
        };
        own.ready().await;
        own
    }

    /// The port that clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// Where clients connect to: the user `guest` on the virtual host `/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port())
    }

    /// SIGKILL: what was not on the disk is lost.
    pub fn kill(&mut self) {
        self.server.kill();
        // The dead node's name would stay taken for a while.
        self.names.kill();
    }

    /// Starts again on the same port with the same data, after a [`kill`](Self::kill).
    pub async fn restart(&mut self) {
        self.kill();
        let folder = self.folder.path();
        self.names = start_names(folder, self.ports).expect("Erlang's name server starts");
        self.server = start_server(folder, self.ports).expect("the broker starts");
        self.ready().await;
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.server.freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.server.thaw();
    }

    /// Runs `rabbitmqctl`, which takes seconds, and gives what it prints.
    #[must_use]
    pub fn control(&self, arguments: &[&str]) -> String {
        let mut command = script("rabbitmqctl", self.folder.path(), self.ports);
        let output = command.arg("-q").args(arguments).stdin(Stdio::null());
        let output = output.output().expect("rabbitmqctl runs");
        let (text, errors) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {text}{errors}"
        );
        text
    }

    /// Whether all that was declared would be found after a [`kill`](Self::kill): the broker writes that a declaration
    /// came about up to two seconds after it said so, and forgets on its next start what it does not find there. It then
    /// confirms messages that no queue gets, until a consumer declares its queue again.
    #[must_use]
    pub fn has_saved_declarations(&self) -> bool {
        let log = self.saved("LATEST.LOG");
        position(&log, "committed") >= position(&log, "presume_abort")
    }

    /// Whether a quorum queue with this in its name would be found after a [`kill`](Self::kill): the broker saves the
    /// list of them half a second late, while it confirms messages at once.
    #[must_use]
    pub fn has_saved_quorum_queue(&self, part: &str) -> bool {
        position(&self.saved("quorum/test@localhost/names.dets"), part).is_some()
    }

    fn saved(&self, file: &str) -> Vec<u8> {
        let folder = self.folder.path().join("data/test@localhost");
        std::fs::read(folder.join(file)).unwrap_or_default()
    }

    async fn ready(&mut self) {
        // The listener is the last thing to start.
        let port = self.ports.amqp;
        self.server
            .ready(async || TcpStream::connect(("127.0.0.1", port)).await.is_ok())
            .await;
    }
}

/// Where a text occurs last.
fn position(bytes: &[u8], text: &str) -> Option<usize> {
    let mut windows = bytes.windows(text.len());
    windows.rposition(|window| window == text.as_bytes())
}

/// On the loopback interface only.
fn plain(port: u16) -> String {
    format!("listeners.tcp.1 = 127.0.0.1:{port}\nnum_acceptors.tcp = 2\n")
}

/// Lets neither a full disk nor little memory stop publishers.
fn configure(folder: &Path, listener: &str) -> io::Result<()> {
    let text = format!(
        "{listener}\
         log.file = false\n\
         log.console = true\n\
         log.console.level = info\n\
         vm_memory_high_watermark.absolute = 1GB\n\
         disk_free_limit.absolute = 10MB\n\
         load_definitions = {}\n",
        folder.join("definitions.json").display(),
    );
    std::fs::write(folder.join("rabbitmq.conf"), text)?;
    std::fs::write(folder.join("definitions.json"), definitions())?;
    std::fs::write(folder.join("plugins"), "[].")
}

fn virtual_host(number: usize) -> String {
    format!("test-{number}")
}

/// The virtual hosts and their user. A broker that reads such a file makes none by itself.
fn definitions() -> String {
    let names: Vec<_> = std::iter::once("/".to_owned())
        .chain((0..VIRTUAL_HOSTS).map(virtual_host))
        .collect();
    let hosts = names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#));
    let permissions = names.iter().map(|name| {
        format!(r#"{{"user":"guest","vhost":"{name}","configure":".*","write":".*","read":".*"}}"#)
    });
    format!(
        r#"{{"users":[{{"name":"guest","password":"guest","tags":["administrator"]}}],"vhosts":[{}],"permissions":[{}]}}"#,
        hosts.collect::<Vec<_>>().join(","),
        permissions.collect::<Vec<_>>().join(",")
    )
}

fn start_names(folder: &Path, ports: Ports) -> io::Result<Process> {
    let mut command = Command::new(program("epmd", PACKAGE));
    command.args(["-address", "127.0.0.1", "-port", &ports.names.to_string()]);
    Process::start(&mut command, &folder.join("names.log"))
}

fn start_server(folder: &Path, ports: Ports) -> io::Result<Process> {
    let mut command = script("rabbitmq-server", folder, ports);
    // Small: two schedulers that do not spin while they wait.
    command.env(
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
        "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
    );
    Process::start(&mut command, &folder.join("server.log"))
}

/// A script of the package, for the broker in `folder`. Those in the search path are wrappers that change the user and
/// forget the environment.
fn script(name: &str, folder: &Path, ports: Ports) -> Command {
    let mut command = Command::new(program("rabbitmq-env", PACKAGE).with_file_name(name));
    command
        .env("HOME", folder)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", ports.names.to_string())
        .env("RABBITMQ_NODENAME", "test@localhost")
        .env("RABBITMQ_DIST_PORT", ports.nodes.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_PID_FILE", folder.join("pid"));
    command
}
