//! State on a server: gets and sets of guests, each of which waits for every answer, beside a bare client that sends the
//! server the same commands.

use super::loops;
use crate::{
    host::{self, App, Host},
    http, paths,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::Result;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::runtime::Runtime;

/// What is stored.
pub const VALUE: &[u8] = br#"{"orderId":"17","customerId":"ada","totalCents":1250}"#;
/// For those numbers of callers at which waiting for the server no longer hides what berth costs.
const BUDGET: Budget = Budget::RatioAtLeast(0.9);
/// Keys that the callers share.
const KEYS: u32 = 2048;
const PATIENCE: Duration = Duration::from_secs(60);

/// A client without a host.
pub trait Bare: Send + Sync + 'static {
    /// What it is called in the table.
    const NAME: &'static str;
    fn get(&self, key: &str) -> impl Future<Output = Result<()>> + Send;
    fn set(&self, key: &str) -> impl Future<Output = Result<()>> + Send;
}

/// A host whose guest has the store, filled.
pub fn host(settings: &Settings, folder: &Path, backends: &str) -> Result<Host> {
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let apps = [App::fresh("hello", &hello), App::fresh("bench", &bench)];
    let host = host::run_apps(settings, folder, backends, &apps)?;
    http::get(host.address, "/bench/state/fill", PATIENCE)?;
    Ok(host)
}

/// Compares the host and the client at 1, 16 and 128 callers.
pub fn compare<B: Bare>(
    settings: &Settings,
    runtime: &Runtime,
    host: &Host,
    bare: &Arc<B>,
) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (callers, budget, share) in [(1, Budget::None, 16), (16, BUDGET, 2), (128, BUDGET, 2)] {
        let calls = settings.calls / share;
        for operation in ["get", "set"] {
            let path = format!("/bench/state/{operation}");
            let [ours, theirs] = alternate(
                settings.rounds,
                [
                    Box::new(|| loops::guests(host, &path, callers, calls)),
                    Box::new(|| {
                        let each = calls / callers;
                        loops::natives(runtime, callers, calls, |caller| {
                            repeat(bare.clone(), operation, caller, each)
                        })
                    }),
                ],
            )?;
            let plural = if callers == 1 { "" } else { "s" };
            let what = format!("{operation}, {callers} caller{plural}");
            let peer = (B::NAME, &theirs);
            lines.push(Line::beside(&what, Unit::PerSecond, &ours, peer, budget));
        }
    }
    Ok(lines)
}

async fn repeat<B: Bare>(bare: Arc<B>, operation: &str, caller: u32, times: u32) -> Result<()> {
    for call in 0..times {
        let key = format!("bench||order-{}", (caller * 16 + call % 64) % KEYS);
        match operation {
            "get" => bare.get(&key).await?,
            _ => bare.set(&key).await?,
        }
    }
    Ok(())
}
