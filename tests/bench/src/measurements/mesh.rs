//! Calls of an app to an app on another host, with mutual TLS, answered by used and by fresh instances, beside what a native
//! program pays for a call to a native server, which is used as well, over one connection of HTTP/2 with the same TLS.

use super::loops;
use crate::{
    host::{self, App, Host, REUSE},
    paths,
    peers::mutual_tls::{self, Client},
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result};
use berth_servers::Authority;
use std::{fs, path::Path};

const BUDGET: Budget = Budget::RatioAtLeast(0.8);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("mesh")?;
    let used = Pair::start(settings, &folder.join("used"), REUSE)?;
    let fresh = Pair::start(settings, &folder.join("fresh"), 1)?;
    let authority = Authority::new();
    let _ = authority.issue(mutual_tls::NAME);
    let file = authority.certificate();
    let certificates = file.parent().context("certificates lie in a folder")?;
    let server = mutual_tls::start(&folder, certificates)?;
    let runtime = loops::runtime()?;
    let client = runtime.block_on(Client::connect(server.address, certificates))?;
    let mut lines = Vec::new();
    for (callers, budget, share) in [(1, Budget::None, 32), (16, BUDGET, 8)] {
        let calls = settings.calls / share;
        let [used, fresh, theirs] = alternate(
            settings.rounds,
            [
                Box::new(|| loops::guests(&used.caller, "/bench/invoke", callers, calls)),
                Box::new(|| loops::guests(&fresh.caller, "/bench/invoke", callers, calls)),
                Box::new(|| {
                    let each = calls / callers;
                    loops::natives(&runtime, callers, calls, |_| repeat(client.clone(), each))
                }),
            ],
        )?;
        let plural = if callers == 1 { "" } else { "s" };
        let peer = ("bare hyper, same TLS", &theirs);
        for (instances, calls, budget) in [("used", used, budget), ("fresh", fresh, Budget::None)] {
            let what = format!("host to host, {instances} instances, {callers} caller{plural}");
            lines.push(Line::beside(&what, Unit::PerSecond, &calls, peer, budget));
        }
    }
    Ok(lines)
}

/// Two hosts, one of which calls the other.
struct Pair {
    caller: Host,
    _callee: Host,
}

impl Pair {
    fn start(settings: &Settings, folder: &Path, reuse: u32) -> Result<Self> {
        let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
        let user = folder.join("user");
        let start = |name: &str, app: &App<'_>, path: &str| {
            let own = folder.join(name);
            fs::create_dir_all(&own).context("making a host's folder")?;
            host::run_beside(settings, &own, &user, app, path)
        };
        let hello = App {
            reuse,
            ..App::fresh("hello", &hello)
        };
        Ok(Self {
            _callee: start("callee", &hello, "/hello")?,
            caller: start("caller", &App::fresh("bench", &bench), "/bench/invoke")?,
        })
    }
}

async fn repeat(mut client: Client, times: u32) -> Result<()> {
    for _ in 0..times {
        client.call().await?;
    }
    Ok(())
}
