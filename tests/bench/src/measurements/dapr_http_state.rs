//! A value of `state.redis` through the Dapr HTTP API, beside an axum handler that reads it with the redis crate.

use super::loops;
use crate::{
    host, http, paths,
    peers::{native, wrk},
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::Result;
use berth_servers::{Redis, RedisOptions};
use std::time::Duration;

const BUDGET: Budget = Budget::RatioAtLeast(0.8);
const STORE: &str = "/v1.0/state/statestore";
const ITEMS: &str = r#"[{"key":"order-17","value":{"orderId":"17","customerId":"ada","items":[{"sku":"tea","qty":2}],"totalCents":1250}}]"#;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let folder = paths::scratch("dapr_http_state")?;
    let server = loops::runtime()?.block_on(Redis::start(RedisOptions::new()));
    let metadata = [("redisHost", &*server.address())];
    let backend = host::backend("statestore", "state.redis", "v1", &metadata);
    let berth = host::run_dapr_http(settings, &folder, &backend)?;
    http::post(berth.address, STORE, ITEMS, Duration::from_secs(10))?;
    let native = native::start_state(&folder, &server.address())?;
    let [ours, theirs] = alternate(
        settings.rounds,
        [
            Box::new(|| wrk::load(&berth.url(&format!("{STORE}/order-17")), settings.round)),
            Box::new(|| wrk::load(&native.url("/hello||order-17"), settings.round)),
        ],
    )?;
    let unit = Unit::PerSecond;
    let peer = ("native axum and redis crate", &theirs);
    Ok(vec![Line::beside("reads", unit, &ours, peer, BUDGET)])
}
