//! PostgreSQL, from Debian's `postgresql`.
//!
//! It refuses to run as root: then it runs as the user `postgres` that the package makes, or as `nobody`.

use crate::{Authority, Own, Process, Shareable, Shared, free_port, program, shared};
use rustix::process::Signal;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

const PACKAGE: &str = "postgresql";
const USER: &str = "postgres";
const PASSWORD: &str = "berth-test";
/// A server that is told to end at once does so in less.
const END_BOUND: Duration = Duration::from_secs(10);

/// What survives a killed server need not survive a power failure.
const SETTINGS: [&str; 10] = [
    "fsync=off",
    "full_page_writes=off",
    "max_connections=400",
    "shared_buffers=32MB",
    "max_wal_size=256MB",
    "jit=off",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    // In the data directory, so that nothing outlives it.
    "dynamic_shared_memory_type=mmap",
    "log_min_messages=warning",
];

static OWN: Own<Postgres> = Own::const_new(Weak::new());

/// A private server.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    settings: Vec<String>,
    folder: TempDir,
}

impl Postgres {
    /// Without TLS; clients need the password.
    pub async fn start() -> Self {
        let folder = folder();
        initialise(folder.path(), "host all all all scram-sha-256\n");
        Self::start_in(folder, Vec::new()).await
    }

    /// With TLS only, by a certificate of `authority` for `localhost`. The role `certified` may come with a client
    /// certificate instead of a password.
    pub async fn start_tls(authority: &Authority) -> Self {
        let folder = folder();
        initialise(
            folder.path(),
            "hostssl all certified all cert\nhostssl all all all scram-sha-256\n",
        );
        let certificate = authority.issue("localhost");
        let files = [
            ("ssl_cert_file", certificate.certificate),
            ("ssl_key_file", certificate.key),
            ("ssl_ca_file", authority.certificate()),
        ];
        let mut settings = vec!["ssl=on".to_owned()];
        for (setting, file) in files {
            let copy = folder.path().join(setting);
            fs::copy(file, &copy).expect("a copy of a certificate");
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("its permissions");
            give_away(&copy);
            settings.push(format!("{setting}={}", copy.display()));
        }
        Self::start_in(folder, settings).await
    }

    async fn start_in(folder: TempDir, settings: Vec<String>) -> Self {
        let port = free_port();
        let mut server = Self {
            process: run(folder.path(), port, &settings),
            port,
            settings,
            folder,
        };
        server.ready().await;
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new, empty database, which lasts as long as the server.
    pub async fn database(&self) -> PostgresDatabase {
        PostgresDatabase::create(self.port, AtTheEnd::Kept).await
    }

    /// SIGKILL to the server and all its connections.
    pub fn kill(&mut self) {
        self.process.kill_family();
    }

    /// Starts it again on the same data and port after [`kill`](Self::kill).
    pub async fn restart(&mut self) {
        self.process = run(self.folder.path(), self.port, &self.settings);
        self.ready().await;
    }

    /// Connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.process.freeze_family();
    }

    /// After [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.process.thaw_family();
    }

    /// What the server said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    async fn ready(&mut self) {
        let port = self.port;
        let ready = async || psql(port, USER, "select 1").await.status.success();
        self.process.ready(ready).await;
    }
}

/// A database in the server of this run, or in the one of this process: see [`Shareable`].
impl Postgres {
    /// A new, empty database, which goes with the value.
    pub async fn shared() -> PostgresDatabase {
        let server = shared(&OWN).await;
        let port = server
            .address
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        let port = port.expect("an address with a port");
        PostgresDatabase::create(port, AtTheEnd::Dropped { _server: server }).await
    }
}

impl Shareable for Postgres {
    const NAME: &'static str = "postgres";
    const VARIABLE: &'static str = "BERTH_TEST_POSTGRES";

    async fn start() -> Self {
        Self::start().await
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.process.thaw_family();
        // An immediate shutdown: the operating system's shared memory does not stay behind.
        self.process.end(Signal::QUIT, END_BOUND);
    }
}

/// What happens to a database when its test ends.
#[derive(Debug)]
enum AtTheEnd {
    /// It goes with its server.
    Kept,
    /// It is dropped, since the server serves other tests.
    Dropped { _server: Shared<Postgres> },
}

/// A database of one test.
#[derive(Debug)]
pub struct PostgresDatabase {
    /// Port of the server on the loopback interface.
    pub port: u16,
    /// Name of the database.
    pub name: String,
    at_the_end: AtTheEnd,
}

impl PostgresDatabase {
    /// The superuser of the server.
    pub const USER: &'static str = USER;
    /// Its password.
    pub const PASSWORD: &'static str = PASSWORD;

    async fn create(port: u16, at_the_end: AtTheEnd) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let created = psql(port, USER, &format!("create database {name}")).await;
        succeeded(&created);
        Self {
            port,
            name,
            at_the_end,
        }
    }

    /// How clients name it.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_through(self.port)
    }

    /// [`url`](Self::url) with the port of a proxy.
    #[must_use]
    pub fn url_through(&self, port: u16) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{}",
            self.name
        )
    }

    /// Runs statements as somebody who is not the driver under test. Rows come as lines, their fields between `|`.
    pub async fn sql(&self, statements: &str) -> String {
        let output = psql(self.port, &self.name, statements).await;
        succeeded(&output);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if let AtTheEnd::Dropped { .. } = &self.at_the_end {
            let drop = format!("drop database if exists {} with (force)", self.name);
            // A server that was started for this test only may be gone already.
            let _ = psql_command(self.port, USER, &drop).output();
        }
    }
}

fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "psql: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn psql(port: u16, database: &str, statements: &str) -> Output {
    let mut command = tokio::process::Command::from(psql_command(port, database, statements));
    command.output().await.expect("psql runs")
}

fn psql_command(port: u16, database: &str, statements: &str) -> Command {
    let mut command = Command::new(program("psql", "postgresql-client"));
    command
        .env("PGPASSWORD", PASSWORD)
        .env("PGCONNECT_TIMEOUT", "10")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set", "ON_ERROR_STOP=1", "--host", "127.0.0.1"])
        .args(["--username", USER, "--dbname", database])
        .args(["--port", &port.to_string(), "--command", statements])
        .stdin(Stdio::null());
    command
}

/// A directory that the server's user owns.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    give_away(folder.path());
    folder
}

fn initialise(folder: &Path, access: &str) {
    let password = folder.join("password");
    fs::write(&password, PASSWORD).expect("a file with the password");
    give_away(&password);
    let output = as_user(&program("initdb", PACKAGE))
        .current_dir(folder)
        .args([
            "--username",
            USER,
            "--pwfile",
            "password",
            "--pgdata",
            "data",
        ])
        .args(["--auth", "scram-sha-256", "--encoding", "UTF8"])
        .args(["--locale", "C.UTF-8", "--no-sync"])
        .output()
        .expect("initdb runs");
    assert!(
        output.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::write(folder.join("data/pg_hba.conf"), access).expect("the rules of access");
}

fn run(folder: &Path, port: u16, settings: &[String]) -> Process {
    let mut command = as_user(&program("postgres", PACKAGE));
    command
        .current_dir(folder)
        .args(["-D", "data", "-p", &port.to_string()]);
    let settings = settings.iter().map(String::as_str);
    for setting in SETTINGS.into_iter().chain(settings) {
        command.args(["-c", setting]);
    }
    Process::start(&mut command, &folder.join("log")).expect("postgres starts")
}

/// A program as the user that the server runs as.
fn as_user(program: &Path) -> Command {
    let Some((user, group)) = other_user() else {
        return Command::new(program);
    };
    let mut command = Command::new(crate::program("setpriv", "util-linux"));
    command
        .args(["--reuid", &user.to_string(), "--regid", &group.to_string()])
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

fn give_away(path: &Path) {
    if let Some((user, group)) = other_user() {
        chown(path, Some(user), Some(group)).expect("a file that is given to another user");
    }
}

/// Whom root lends the server to; `None` when this is not root.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("a user besides root"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_committed_survives_a_killed_server() {
        let mut server = Postgres::start().await;
        let database = server.database().await;
        database.sql("create table t (n int)").await;
        database.sql("insert into t values (7)").await;
        server.kill();
        server.restart().await;
        assert_eq!(database.sql("select n from t").await, "7");
    }

    #[tokio::test]
    async fn databases_of_one_server_are_apart() {
        let (first, second) = tokio::join!(Postgres::shared(), Postgres::shared());
        first.sql("create table t (n int)").await;
        assert_ne!(first.name, second.name);
        assert_eq!(second.sql("select to_regclass('t') is null").await, "t");
    }
}
