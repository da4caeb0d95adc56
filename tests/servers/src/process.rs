//! A server's process.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A server may be slow to start on a busy machine.
const START_BOUND: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running server and its children. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a server in a process group of its own; what it says goes into the file `log`.
    ///
    /// # Errors
    /// The program cannot be started or the log cannot be written.
    pub fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until `ready` says so. Panics with the server's log when it ends instead or takes too long.
    pub async fn ready(&mut self, mut ready: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !ready().await {
            let ended = self.child.try_wait().expect("the state of a child");
            if ended.is_some() || began.elapsed() > START_BOUND {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("the server did not start ({ended:?}):\n{log}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// SIGKILL to the server and its children; returns when the server is gone.
    pub fn kill(&mut self) {
        // A server that has ended by itself is what was wanted.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }

    /// SIGKILL to the server and to all its descendants, also those in process groups of their own.
    pub fn kill_family(&mut self) {
        // A stopped parent starts no further child while they are counted.
        let _ = kill_process(self.pid(), Signal::STOP);
        let descendants = descendants(self.pid());
        self.kill();
        for pid in &descendants {
            let _ = kill_process(*pid, Signal::KILL);
        }
        let deadline = Instant::now() + START_BOUND;
        while descendants.iter().any(|pid| is_running(*pid)) && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// SIGSTOP to the server and to all its descendants: connections stay open and nothing answers.
    pub fn freeze_family(&self) {
        kill_process(self.pid(), Signal::STOP).expect("a running server");
        for pid in descendants(self.pid()) {
            let _ = kill_process(pid, Signal::STOP);
        }
    }

    /// SIGCONT to the server and to all its descendants.
    pub fn thaw_family(&self) {
        for pid in descendants(self.pid()) {
            let _ = kill_process(pid, Signal::CONT);
        }
        // A server that was killed has nothing to thaw: this is called for every one that is dropped.
        let _ = kill_process(self.pid(), Signal::CONT);
    }

    /// A signal that ends the server; kills it if it has not ended within `bound`.
    pub fn end(&mut self, signal: Signal, bound: Duration) {
        let _ = kill_process(self.pid(), signal);
        let deadline = Instant::now() + bound;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN);
        }
        self.kill();
    }

    /// SIGTERM; returns when the server has ended.
    pub fn stop(&mut self) {
        let _ = kill_process(self.pid(), Signal::TERM);
        let _ = self.child.wait();
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&self) {
        kill_process_group(self.pid(), Signal::STOP).expect("a running server");
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        kill_process_group(self.pid(), Signal::CONT).expect("a frozen server");
    }

    /// What the server said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Children, their children and so on, as `/proc` knows them.
fn descendants(of: Pid) -> Vec<Pid> {
    let parents: Vec<(Pid, i32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            Some((pid, stat(pid)?.1))
        })
        .collect();
    let mut family = vec![of];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        let children = parents
            .iter()
            .filter(|(_, its)| *its == parent.as_raw_pid());
        family.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    family.split_off(1)
}

fn is_running(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// State and parent of a process.
fn stat(pid: Pid) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before stands in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
