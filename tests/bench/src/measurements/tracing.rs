//! What tracing costs a hello: with a Configuration that samples nothing, and with one that records every request,
//! beside the same host without any. Nobody listens at the collector's address.

use crate::{
    host, paths,
    peers::wrk,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result};
use std::fs;

/// Below 3 % of the requests.
const BUDGET: Budget = Budget::RatioAtLeast(0.97);

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    wrk::ensure()?;
    let guest = paths::guest("hello")?;
    let start = |name: &str, rate: Option<&str>| {
        let folder = paths::scratch(&format!("tracing_{name}"))?;
        let config = folder.join("config.yaml");
        let tracing = rate.map_or(String::new(), |rate| {
            format!(
                "  tracing:\n    samplingRate: \"{rate}\"\n    zipkin: {{ endpointAddress: \"http://127.0.0.1:9/api/v2/spans\" }}\n"
            )
        });
        let document = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: bench }}\nspec:\n  secrets: {{}}\n{tracing}"
        );
        fs::write(&config, document).context("writing a Configuration")?;
        host::run_configured(settings, &guest, &config, &folder)
    };
    let (plain, idle, all) = (
        start("absent", None)?,
        start("idle", Some("0"))?,
        start("all", Some("1"))?,
    );
    let [without, unsampled, sampled] = alternate(
        settings.rounds,
        [
            Box::new(|| wrk::load(&plain.url("/"), settings.round)),
            Box::new(|| wrk::load(&idle.url("/"), settings.round)),
            Box::new(|| wrk::load(&all.url("/"), settings.round)),
        ],
    )?;
    let line = |name, samples, budget| {
        let peer = ("without tracing", &without);
        Line::beside(name, Unit::PerSecond, samples, peer, budget)
    };
    Ok(vec![
        line("samplingRate 0", &unsampled, BUDGET),
        line("samplingRate 1, no collector", &sampled, Budget::None),
    ])
}
