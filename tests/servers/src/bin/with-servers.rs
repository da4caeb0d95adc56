//! Starts the servers that tests share, runs a command, and ends the servers whatever comes of it.
//!
//! ```text
//! with-servers [NAME]... -- COMMAND [ARGUMENT]...
//! ```
//!
//! Without names: all of them. The command finds one environment variable per server, and its exit code is passed on.
//! SIGTERM, SIGHUP and SIGINT are passed on too, at the second one the command is killed.

use berth_servers::{Postgres, RabbitMq, Shareable};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    any::Any,
    io::{self, IsTerminal},
    process::{ExitCode, ExitStatus},
};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    task::LocalSet,
};

/// Every server that tests share.
const SERVERS: [&str; 2] = [Postgres::NAME, RabbitMq::NAME];

/// What `sysexits.h` calls a wrong command line.
const USAGE: u8 = 64;

/// A server that ends when this is dropped.
struct Running {
    variable: &'static str,
    address: String,
    _server: Box<dyn Any>,
}

async fn start(name: String) -> Running {
    match name.as_str() {
        Postgres::NAME => start_one::<Postgres>().await,
        RabbitMq::NAME => start_one::<RabbitMq>().await,
        _ => unreachable!("names are checked before"),
    }
}

async fn start_one<S: Shareable>() -> Running {
    let server = S::start().await;
    Running {
        variable: S::VARIABLE,
        address: server.address(),
        _server: Box::new(server),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let Some(separator) = names.iter().position(|argument| argument == "--") else {
        return Ok(usage("no `--` before the command"));
    };
    let command: Vec<String> = names.split_off(separator).into_iter().skip(1).collect();
    let Some((program, arguments)) = command.split_first() else {
        return Ok(usage("no command"));
    };
    if let Some(unknown) = names.iter().find(|name| !SERVERS.contains(&name.as_str())) {
        return Ok(usage(&format!("no server `{unknown}`")));
    }
    if names.is_empty() {
        names = SERVERS.map(str::to_owned).to_vec();
    }
    // From here on a signal must not end this process before its servers.
    let mut signals = Signals::listen()?;
    let running = tokio::select! {
        running = start_all(names) => running,
        signal = signals.next() => return Ok(ended_by(signal)),
    };
    let mut command = Command::new(program);
    command.args(arguments);
    command.envs(
        running
            .iter()
            .map(|server| (server.variable, &server.address)),
    );
    let mut child = command.spawn()?;
    let ended = supervise(&mut child, &mut signals).await?;
    drop(running);
    Ok(ended)
}

/// All at the same time.
async fn start_all(names: Vec<String>) -> Vec<Running> {
    let here = LocalSet::new();
    let starting: Vec<_> = names
        .into_iter()
        .map(|name| here.spawn_local(start(name)))
        .collect();
    let started = async {
        let mut running = Vec::new();
        for server in starting {
            match server.await {
                Ok(server) => running.push(server),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        running
    };
    here.run_until(started).await
}

/// Waits for the command.
async fn supervise(child: &mut Child, signals: &mut Signals) -> io::Result<ExitCode> {
    let mut seen = 0;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(passed_on(status?)),
            signal = signals.next() => {
                seen += 1;
                // What is typed at a terminal reaches the command by itself.
                let arrived = signal == Signal::INT && io::stdin().is_terminal();
                if seen > 1 {
                    child.start_kill()?;
                } else if !arrived {
                    pass_on(child, signal);
                }
            }
        }
    }
}

fn pass_on(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        // It may have ended in this moment.
        let _ = kill_process(pid, signal);
    }
}

fn passed_on(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        (None, signal) => ended(signal.unwrap_or(0)),
    }
}

fn ended_by(signal: Signal) -> ExitCode {
    ended(signal.as_raw())
}

/// As a shell says it.
fn ended(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
}

fn usage(mistake: &str) -> ExitCode {
    eprintln!(
        "with-servers: {mistake}\nusage: with-servers [{}]... -- COMMAND [ARGUMENT]...",
        SERVERS.join(" | ")
    );
    ExitCode::from(USAGE)
}

/// The signals that end a program.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
            _ = self.interrupt.recv() => Signal::INT,
        }
    }
}
