//! A value out of a store in memory through the Dapr HTTP API, beside an axum handler that calls the same store.

use crate::{
    host, http, paths,
    peers::{native, wrk},
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::Result;
use std::time::Duration;

/// What is stored.
pub const VALUE: &str =
    r#"{"orderId":"17","customerId":"ada","items":[{"sku":"tea","qty":2}],"totalCents":1250}"#;
const BUDGET: Budget = Budget::RatioAtLeast(0.8);
const STORE: &str = "/v1.0/state/statestore";

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let folder = paths::scratch("dapr_http_state")?;
    let berth = host::run_dapr_http(settings, &paths::guest("hello")?, &folder)?;
    let key = native::KEY;
    let items = format!(r#"[{{"key":"{key}","value":{VALUE}}}]"#);
    http::post(berth.address, STORE, &items, Duration::from_secs(10))?;
    let native = native::start_state(&folder)?;
    let [ours, theirs] = alternate(
        settings.rounds,
        [
            Box::new(|| wrk::load(&berth.url(&format!("{STORE}/{key}")), settings.round)),
            Box::new(|| wrk::load(&native.url(&format!("/{key}")), settings.round)),
        ],
    )?;
    let unit = Unit::PerSecond;
    let peer = ("native axum", &theirs);
    Ok(vec![Line::beside("reads", unit, &ours, peer, BUDGET)])
}
