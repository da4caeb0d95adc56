//! The servers of a set. One that answers at its usual address is used; else a private one is started there, so that
//! the set's documents are used as they are, and it ends with the demo.

use crate::toolchain::servers;
use crate::{command, repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// RabbitMQ takes half a minute on a small machine.
const START_LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);
/// What `components/postgresql` says.
const POSTGRESQL_PASSWORD: &str = "postgres";

/// A server that a set may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Postgresql,
    Rabbitmq,
    Kafka,
}

/// A server that was started for the demo. Ends with this value.
pub struct Private {
    /// The last one is the server, those before it what it needs.
    processes: Vec<Child>,
    log: PathBuf,
    /// Removed after the processes have ended.
    data: TempDir,
}

impl Kind {
    /// Has a server at the usual port.
    pub fn ensure(self) -> Result<Option<Private>> {
        if self.answers() {
            println!("using the {self:?} at localhost:{}", self.port());
            return Ok(None);
        }
        let start = match self {
            Self::Redis => redis,
            Self::Postgresql => postgresql,
            Self::Rabbitmq => rabbitmq,
            Self::Kafka => bail!(
                "nothing answers at localhost:9092, and Debian has no Kafka: start one, such as\n  \
                 docker run -p 9092:9092 apache/kafka"
            ),
        };
        println!("starting {self:?} at localhost:{}", self.port());
        let mut private = Private::new(self)?;
        start(&mut private)?;
        private.wait_until(self, || self.answers())?;
        Ok(Some(private))
    }

    fn port(self) -> u16 {
        match self {
            Self::Redis => 6379,
            Self::Postgresql => 5432,
            Self::Rabbitmq => 5672,
            Self::Kafka => 9092,
        }
    }

    fn answers(self) -> bool {
        TcpStream::connect(("localhost", self.port())).is_ok()
    }
}

fn redis(private: &mut Private) -> Result<()> {
    let mut redis = ending_with_us(&servers::REDIS.ensure()?, &[])?;
    redis
        .args([
            "--port",
            "6379",
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
        ])
        .arg(private.data.path());
    private.run(redis)
}

fn postgresql(private: &mut Private) -> Result<()> {
    let postgres = servers::POSTGRESQL.ensure()?;
    // PostgreSQL does not run as root.
    let user = Account::to_run_as("postgres")?;
    let (folder, password) = (private.data.path(), private.data.path().join("password"));
    fs::write(&password, POSTGRESQL_PASSWORD).context("writing a password")?;
    user.own(&[folder, &password])?;
    let cluster = folder.join("cluster");
    let mut initdb = ending_with_us(&postgres.with_file_name("initdb"), &user.flags())?;
    initdb
        .args([
            "--username",
            "postgres",
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
        ])
        .arg("--pwfile")
        .arg(&password)
        .arg(&cluster);
    command::run_quietly(&mut initdb)?;
    let mut server = ending_with_us(&postgres, &user.flags())?;
    server
        .args(["-p", "5432", "-c", "listen_addresses=localhost", "-k"])
        .arg(folder)
        .arg("-D")
        .arg(&cluster);
    let ready = postgres.with_file_name("pg_isready");
    private.run(server)?;
    private.wait_until(Kind::Postgresql, || {
        command::succeeds(Command::new(&ready).args(["-q", "-h", "localhost", "-p", "5432"]))
    })
}

fn rabbitmq(private: &mut Private) -> Result<()> {
    let rabbitmq = servers::RABBITMQ.ensure()?;
    let (names, distribution) = (free_port()?, free_port()?);
    // The name server of Erlang, which would stay otherwise.
    let mut epmd = ending_with_us(Path::new("epmd"), &[])?;
    epmd.args(["-address", "127.0.0.1", "-port", &names]);
    private.run(epmd)?;
    let folder = private.data.path();
    fs::write(folder.join("plugins"), "[].").context("writing the list of plugins")?;
    fs::write(
        folder.join("rabbitmq.conf"),
        "listeners.tcp.1 = 127.0.0.1:5672\nlog.file = false\nlog.console = true\n",
    )
    .context("writing the broker's configuration")?;
    let mut server = ending_with_us(&rabbitmq, &[])?;
    server
        .env("HOME", folder)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", &names)
        .env("RABBITMQ_DIST_PORT", &distribution)
        .env("RABBITMQ_NODENAME", "berth-demo@localhost")
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_PID_FILE", folder.join("pid"))
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        // The script becomes the server instead of watching over it.
        .env("RABBITMQ_ALLOW_INPUT", "1")
        .arg("-noinput");
    private.run(server)
}

fn free_port() -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port().to_string())
}

/// A program that gets SIGTERM when this process ends, however it ends.
fn ending_with_us(program: &Path, flags: &[String]) -> Result<Command> {
    let mut setpriv = Command::new("setpriv");
    if !command::succeeds(setpriv.arg("--version")) {
        bail!("no private server without `setpriv` of util-linux: start one at its usual port");
    }
    let mut command = Command::new("setpriv");
    command
        .args(flags)
        .args(["--pdeathsig", "TERM", "--"])
        .arg(program);
    Ok(command)
}

/// Who runs a server.
struct Account(Option<(u32, u32)>);

impl Account {
    /// This user if we are not root.
    fn to_run_as(name: &str) -> Result<Self> {
        let id = |arguments: &[&str]| -> Result<u32> {
            let id = command::output(Command::new("id").args(arguments))?;
            id.trim().parse().context("reading the output of `id`")
        };
        if id(&["-u"])? != 0 {
            return Ok(Self(None));
        }
        Ok(Self(Some((id(&["-u", name])?, id(&["-g", name])?))))
    }

    /// Those of `setpriv`.
    fn flags(&self) -> Vec<String> {
        let Some((user, group)) = self.0 else {
            return Vec::new();
        };
        vec![
            format!("--reuid={user}"),
            format!("--regid={group}"),
            "--clear-groups".to_owned(),
        ]
    }

    fn own(&self, paths: &[&Path]) -> Result<()> {
        let Some((user, group)) = self.0 else {
            return Ok(());
        };
        for path in paths {
            chown(path, Some(user), Some(group))
                .with_context(|| format!("giving away {}", path.display()))?;
        }
        Ok(())
    }
}

impl Private {
    fn new(kind: Kind) -> Result<Self> {
        // PostgreSQL's own user may not be let into the folder of the repository.
        let data = match kind {
            Kind::Postgresql => tempfile::tempdir(),
            _ => tempfile::tempdir_in(repository::path("target")),
        };
        let log = repository::path(&format!("target/demo-{kind:?}.log").to_lowercase());
        fs::write(&log, "").with_context(|| format!("writing {}", log.display()))?;
        Ok(Self {
            processes: Vec::new(),
            log,
            data: data.context("making a data directory")?,
        })
    }

    fn run(&mut self, mut command: Command) -> Result<()> {
        let log = fs::File::options().append(true).open(&self.log)?;
        let started = command
            .current_dir(self.data.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        self.processes.push(started.context("starting a server")?);
        Ok(())
    }

    fn wait_until(&mut self, kind: Kind, ready: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            for process in &mut self.processes {
                if let Some(status) = process.try_wait()? {
                    bail!("{kind:?} ended: {status}, see {}", self.log.display());
                }
            }
            if started.elapsed() > START_LIMIT {
                bail!("{kind:?} does not answer, see {}", self.log.display());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let id = process.id().to_string();
            // It may have ended already.
            let _ = command::run_quietly(Command::new("kill").args(["-TERM", &id]));
            let _ = process.wait();
        }
    }
}
