//! `cargo xtask demo`: the shop on a set of backends, and a tour of it.
//!
//! - [`set`]: which backends; [`servers`]: what they need;
//! - [`tour`]: what is shown of the shop.

mod servers;
mod set;
mod tour;

pub use set::Set;

use crate::toolchain::native;
use crate::{command, guests, http, repository};
use anyhow::{Context, Result, bail};
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};
use tour::{Answer, Scene, Stop, TOUR};

/// Where the shop listens if nobody else does.
const PORT: u16 = 8080;
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longer than the shop's retry policy takes until a message is a dead letter.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Builds everything, runs the shop, shows it, and stops it unless someone is there to look further.
pub fn run(set: Set, keep: bool) -> Result<()> {
    native::ensure()?;
    let berth = build_host()?;
    guests::build(guests::Group::Shop)?;
    // Before the host, and after it until the end.
    let servers = set.servers().iter().map(|server| server.ensure());
    let _servers = servers.collect::<Result<Vec<_>>>()?;
    // In `target`, so that `cargo clean` removes what an interrupted demo leaves.
    let data =
        tempfile::tempdir_in(repository::path("target")).context("making a data directory")?;
    let address = free_address()?;
    let mut host = Host::start(&berth, set, address, data.path())?;
    host.wait_until_it_answers(address)?;
    for scene in TOUR {
        match scene {
            Scene::Ask(stop) => visit(stop, address)?,
            Scene::Kill { about } => {
                println!("\n# {about}\n$ kill -9 {}", host.process.id());
                host.kill()?;
                host = Host::start(&berth, set, address, data.path())?;
                host.wait_until_it_answers(address)?;
            }
        }
    }
    if keep || std::io::stdin().is_terminal() {
        println!("\nThe shop keeps running at http://{address}. Ctrl-C stops it.");
        host.wait()?;
    }
    Ok(())
}

/// The host in the dev profile. Of the whole workspace, since features are unified over what is selected: the tests,
/// which select all of it, then find every dependency built.
fn build_host() -> Result<PathBuf> {
    println!("building berth and the shop");
    command::run(repository::cargo().args(["build", "--workspace", "--bin", "berth"]))?;
    repository::built("berth")
}

fn free_address() -> Result<SocketAddr> {
    let preferred = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT));
    let listener = preferred.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    Ok(listener.context("looking for a free port")?.local_addr()?)
}

/// The running host, which ends with this value.
struct Host {
    process: Child,
}

impl Host {
    fn start(berth: &Path, set: Set, address: SocketAddr, data: &Path) -> Result<Self> {
        let mut run = Command::new(berth);
        let components = set.folder();
        run.current_dir(repository::root())
            .args(["run", "guest-examples/shop", "--resources-path"])
            .arg(&components)
            .args([
                "--listen",
                &address.to_string(),
                "--admin",
                "127.0.0.1:0",
                "--dapr-http-port",
                "off",
                "--data-dir",
            ])
            .arg(data);
        println!(
            "$ berth run guest-examples/shop --resources-path {components} --listen {address}\n"
        );
        Ok(Self {
            process: run.spawn().context("starting berth")?,
        })
    }

    fn wait_until_it_answers(&mut self, address: SocketAddr) -> Result<()> {
        let started = Instant::now();
        while http::send(address, "GET", "/inventory/espresso", None).is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("berth ended before it answered: {status}");
            }
            if started.elapsed() > START_LIMIT {
                bail!(
                    "berth did not answer at {address} within {} s",
                    START_LIMIT.as_secs()
                );
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Without a chance to finish anything.
    fn kill(&mut self) -> Result<()> {
        self.process.kill().context("killing berth")?;
        self.process.wait().context("waiting for berth")?;
        Ok(())
    }

    /// Until the user ends it.
    fn wait(&mut self) -> Result<()> {
        self.process.wait().context("waiting for berth")?;
        Ok(())
    }
}

impl Drop for Host {
    /// Asks it to finish what it does, as one stops it in earnest.
    fn drop(&mut self) {
        let process = self.process.id().to_string();
        if command::run_quietly(Command::new("kill").args(["-TERM", &process])).is_err() {
            // It has ended already, or there is no other way.
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

fn visit(stop: &Stop, address: SocketAddr) -> Result<()> {
    println!("\n# {}\n$ {}", stop.about, curl_line(stop, address));
    let reply = answer(stop, address)?;
    println!("{} {}", reply.status, reply.body.trim_end());
    if !is_reached(stop, &reply) {
        bail!(
            "the tour expected another answer to {} {}",
            stop.verb,
            stop.path
        );
    }
    Ok(())
}

fn curl_line(stop: &Stop, address: SocketAddr) -> String {
    let url = format!("http://{address}{}", stop.path);
    let verb = if stop.verb == "GET" {
        String::new()
    } else {
        format!("-X {} ", stop.verb)
    };
    let body = stop
        .body
        .map(|body| format!(" -H 'content-type: application/json' -d '{body}'"))
        .unwrap_or_default();
    format!("curl {verb}{url}{body}")
}

fn answer(stop: &Stop, address: SocketAddr) -> Result<http::Reply> {
    let started = Instant::now();
    loop {
        let reply = http::send(address, stop.verb, stop.path, stop.body)?;
        let waits =
            matches!(stop.expected, Answer::Eventually(_)) && started.elapsed() < STOP_LIMIT;
        if is_reached(stop, &reply) || !waits {
            return Ok(reply);
        }
        thread::sleep(PAUSE);
    }
}

fn is_reached(stop: &Stop, reply: &http::Reply) -> bool {
    match stop.expected {
        Answer::Status(status) => reply.status == status,
        Answer::Eventually(text) => reply.status == 200 && reply.body.contains(text),
    }
}
