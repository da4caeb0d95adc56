//! Apps that share one `state.redis`: its connections, and the memory that each app adds once it has used the store.

use super::loops;
use crate::{
    host::{self, App},
    http, paths,
    report::{Budget, Line, Unit},
    samples::Samples,
    settings::Settings,
};
use anyhow::Result;
use berth_servers::{Redis, RedisOptions};
use redis::cmd;
use std::{path::Path, time::Duration};

const APPS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("tenants")?;
    let runtime = loops::runtime()?;
    let server = runtime.block_on(Redis::start(RedisOptions::new()));
    let address = server.address();
    let (alone, memory_alone) = used_by(settings, &folder, &address, 1)?;
    let (together, memory) = used_by(settings, &folder, &address, APPS)?;
    let of = |figure: f64| {
        let mut samples = Samples::default();
        samples.push(figure);
        samples
    };
    let each = (memory - memory_alone) / (APPS - 1) as f64;
    let what = format!("connections, {APPS} apps");
    // One pool, however many share it.
    let budget = Budget::AtMost(alone);
    let memory = format!("memory per app, of {APPS}");
    Ok(vec![
        Line::alone("connections, 1 app", Unit::Count, &of(alone), Budget::None),
        Line::alone(&what, Unit::Count, &of(together), budget),
        Line::alone(&memory, Unit::Kibibytes, &of(each), Budget::None),
    ])
}

/// Connections to the server and resident memory of a host whose apps have all used the store.
fn used_by(settings: &Settings, folder: &Path, redis: &str, apps: usize) -> Result<(f64, f64)> {
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let names: Vec<_> = (0..apps).map(|number| format!("bench-{number}")).collect();
    let tenants = names.iter().map(|name| App::fresh(name, &bench));
    let apps: Vec<_> = [App::fresh("hello", &hello)]
        .into_iter()
        .chain(tenants)
        .collect();
    let backend = host::backend("statestore", "state.redis", "v1", &[("redisHost", redis)]);
    let host = host::run_apps(settings, folder, &backend, &apps)?;
    for name in &names {
        http::get(host.address, &format!("/{name}/state/set?n=1"), PATIENCE)?;
    }
    Ok((connections(redis)?, host.resident_kib()? as f64))
}

/// Those of others.
fn connections(redis: &str) -> Result<f64> {
    let client = redis::Client::open(format!("redis://{redis}/"))?;
    let clients: String = cmd("CLIENT")
        .arg("LIST")
        .query(&mut client.get_connection()?)?;
    Ok((clients.lines().count() - 1) as f64)
}
