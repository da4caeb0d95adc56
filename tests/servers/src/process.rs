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
