//! A server as a process of its own, on a port of this machine. It ends with the value.

use crate::http;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take until it answers: it may have to compile its guests.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a server may take to end before it is killed.
const LAST: Duration = Duration::from_secs(5);
/// Pause between two looks at a server that starts or ends.
const PAUSE: Duration = Duration::from_micros(500);

/// A running server.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From before its process was made until the first answer with status 200.
    pub started_in: Duration,
}

impl Server {
    /// Starts a server and waits until it answers `path`. What it prints goes into `log`.
    pub fn start(
        command: &mut Command,
        address: SocketAddr,
        path: &str,
        log: &Path,
    ) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("writing {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let began = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let mut server = Self {
            child,
            address,
            started_in: Duration::ZERO,
        };
        loop {
            match http::get(address, path, PATIENCE) {
                Ok(_) => break,
                Err(error) => server.may_still_come(error, began, log)?,
            }
            thread::sleep(PAUSE);
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    fn may_still_come(&mut self, error: anyhow::Error, began: Instant, log: &Path) -> Result<()> {
        let printed = || fs::read_to_string(log).unwrap_or_default();
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended ({status}):\n{}", printed());
        }
        if began.elapsed() > PATIENCE {
            return Err(error.context(format!("no answer within {PATIENCE:?}:\n{}", printed())));
        }
        Ok(())
    }

    /// The address of the server as `wrk` wants it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The time that its threads have had on the processors so far: fields 14 and 15 of `proc_pid_stat(5)`, which count
    /// hundredths of a second.
    pub fn processor_time(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        // The second field is a name in parentheses, which may have blanks.
        let (_, fields) = stat.rsplit_once(") ").context("the status of a process")?;
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Stops the process until it is thawed.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).context("sending a signal to the server")
    }

    /// Asks it to stop, and waits until it has.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        self.child.wait().context("waiting for the server")?;
        Ok(())
    }

    /// Ends it at once, as a failure of its machine does.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing the server")?;
        self.child.wait().context("waiting for the server")?;
        Ok(())
    }

    /// Resident memory of the process, in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        let file = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&file).with_context(|| format!("reading {file}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.trim().split(' ').next());
        kib.and_then(|kib| kib.parse().ok())
            .with_context(|| format!("no VmRSS in {file}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // As an operator ends it: one that counts where its code goes writes that at its end.
        if self.runs() {
            let _ = self.signal(Signal::TERM);
        }
        let asked = Instant::now();
        while self.runs() && asked.elapsed() < LAST {
            thread::sleep(PAUSE);
        }
        let _ = self.kill();
    }
}

/// An address that nobody listens on, and that no client's connection takes meanwhile.
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, berth_servers::free_port()).into()
}
