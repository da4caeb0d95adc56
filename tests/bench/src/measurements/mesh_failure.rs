//! Calls of a native program through its host to an app on two other hosts, and what the slowest hundredth of them take
//! while one of the two is killed.

use crate::{
    host::{self, App},
    http, paths,
    peers::wrk,
    report::{Budget, Line, Unit},
    samples::Samples,
    settings::Settings,
};
use anyhow::{Result, bail};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

const CALLERS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let folder = paths::scratch("mesh_failure")?;
    let hello = paths::guest("hello")?;
    let user = folder.join("user");
    let start = |name: &str, app: &App<'_>| {
        let own = folder.join(name);
        fs::create_dir_all(&own)?;
        host::run_neighbour(settings, &own, &user, app)
    };
    let (mut calm, mut killed) = (Samples::default(), Samples::default());
    for round in 0..settings.rounds.min(3) {
        let caller = start(&format!("a{round}"), &App::fresh("caller", &hello))?;
        let steady = start(&format!("b{round}"), &App::fresh("hello", &hello))?;
        let mut mortal = start(&format!("c{round}"), &App::fresh("hello", &hello))?;
        let path = "/v1.0/invoke/hello/method/hello";
        let began = Instant::now();
        while http::get(caller.address, path, PATIENCE).is_err() {
            if began.elapsed() > PATIENCE {
                bail!("the hosts do not find each other within {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        let url = caller.url(path);
        let p99 = || wrk::p99_from(&url, settings.round, CALLERS);
        p99()?;
        calm.push(p99()?);
        let late = settings.round / 2;
        let during = thread::scope(|scope| {
            let during = scope.spawn(p99);
            thread::sleep(late);
            mortal.kill()?;
            let during = during.join();
            during.unwrap_or_else(|_| bail!("the load generator panicked"))
        });
        killed.push(during?);
        drop(steady);
    }
    let unit = Unit::Milliseconds;
    let peer = ("all three live", &calm);
    let what = "p99 of a call, one of three hosts is killed";
    Ok(vec![Line::beside(what, unit, &killed, peer, Budget::None)])
}
