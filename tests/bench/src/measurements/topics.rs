//! Topics of a broker beside a bare client of the same broker: messages that guests publish, each of which waits until
//! the broker has taken it, and messages that guests handle: by instances that are used again, as a client is, and by a
//! fresh instance for each.

use super::loops;
use crate::{
    host::{self, App, Host, REUSE},
    paths,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result, ensure};
use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// As large as what a guest's message becomes.
pub const EVENT: &str = r#"{"data":{"orderId":"17","customerId":"ada","totalCents":1250},"datacontenttype":"application/json","id":"3c0e7b1c-5c5b-4a29-9d0c-2f1a8a3a4b5c","pubsubname":"pubsub","source":"bench","specversion":"1.0","time":"2026-01-01T00:00:00Z","topic":"published","traceid":"","type":"com.dapr.event.sent"}"#;
/// Messages that a bare consumer asks for at a time, as berth does.
pub const PREFETCH: u16 = 64;
const PUBLISHED: &str = "published";
/// Apps, each with a topic of its name.
const FRESH: &str = "bench";
const USED: &str = "bench-used";
const BARE: &str = "bare-orders";
const PUBLISHERS: u32 = 128;
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// A client without a host.
pub trait Bare: Send + Sync + 'static {
    /// What it is called in the table.
    const NAME: &'static str;
    /// Lets the broker keep what comes to a topic, for [`Bare::consume`].
    fn prepare(&self, topic: &str) -> impl Future<Output = Result<()>> + Send;
    /// Publishes [`EVENT`] and waits until it is taken.
    fn publish(&self, topic: &str) -> impl Future<Output = Result<()>> + Send;
    /// Receives so many messages and acknowledges each.
    fn consume(&self, topic: &str, messages: u32) -> impl Future<Output = Result<()>> + Send;
}

/// What must hold for messages published and handled.
pub struct Budgets {
    pub publish: f64,
    pub handle: f64,
}

/// A host whose guest handles a topic, on the backend `pubsub`.
pub fn host(settings: &Settings, folder: &Path, backend: &str) -> Result<Host> {
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let used = App {
        reuse: REUSE,
        ..App::fresh(USED, &bench)
    };
    let apps = [App::fresh("hello", &hello), App::fresh(FRESH, &bench), used];
    let subscriptions = [FRESH, USED].map(|app| {
        format!(
            "---\n\
             apiVersion: dapr.io/v2alpha1\n\
             kind: Subscription\n\
             metadata: {{ name: {app} }}\n\
             spec: {{ pubsubname: pubsub, topic: {app}, routes: {{ default: /orders }} }}\n\
             scopes: [{app}]\n"
        )
    });
    let state = host::backend("statestore", "state.in-memory", "v1", &[]);
    let backends = state + backend + &subscriptions.concat();
    host::run_apps(settings, folder, &backends, &apps)
}

/// Compares the host and the client.
pub fn compare<B: Bare>(
    settings: &Settings,
    runtime: &Runtime,
    host: &Host,
    bare: &Arc<B>,
    budgets: &Budgets,
) -> Result<Vec<Line>> {
    let messages = settings.calls / 8;
    runtime.block_on(async {
        bare.prepare(PUBLISHED).await?;
        bare.prepare(BARE).await
    })?;
    let mut lines = Vec::new();
    let mut line = |what: &str, [ours, theirs]: [_; 2], budget| {
        let peer = (B::NAME, &theirs);
        lines.push(Line::beside(what, Unit::PerSecond, &ours, peer, budget));
    };
    for publishers in [16, 128] {
        let figures = alternate(
            settings.rounds,
            [
                Box::new(|| loops::guests(host, "/bench/publish", publishers, messages)),
                Box::new(|| publish(runtime, bare, PUBLISHED, publishers, messages)),
            ],
        )?;
        let what = format!("messages published, {publishers} at a time");
        line(&what, figures, Budget::RatioAtLeast(budgets.publish));
    }
    let messages = messages / PUBLISHERS * PUBLISHERS;
    let [used, fresh, theirs] = alternate(
        settings.rounds,
        [
            Box::new(|| handled(runtime, host, bare, USED, messages)),
            Box::new(|| handled(runtime, host, bare, FRESH, messages)),
            Box::new(|| consumed(runtime, bare, messages)),
        ],
    )?;
    let handled = "messages handled by guests";
    let budget = Budget::RatioAtLeast(budgets.handle);
    let what = format!("{handled}, used instances");
    line(&what, [used, theirs.clone()], budget);
    let what = format!("{handled}, fresh instances");
    line(&what, [fresh, theirs], Budget::None);
    Ok(lines)
}

/// Messages per second of several tasks.
fn publish<B: Bare>(
    runtime: &Runtime,
    bare: &Arc<B>,
    topic: &'static str,
    publishers: u32,
    messages: u32,
) -> Result<f64> {
    loops::natives(runtime, publishers, messages, |_| {
        let bare = bare.clone();
        async move {
            for _ in 0..messages / publishers {
                bare.publish(topic).await?;
            }
            Ok(())
        }
    })
}

/// Messages per second of a backlog that a host finds.
fn handled<B: Bare>(
    runtime: &Runtime,
    host: &Host,
    bare: &Arc<B>,
    topic: &'static str,
    messages: u32,
) -> Result<f64> {
    let goal = host.delivered()? + u64::from(messages);
    host.freeze()?;
    let published = publish(runtime, bare, topic, PUBLISHERS, messages);
    host.thaw()?;
    published?;
    let began = Instant::now();
    while host.delivered()? < goal {
        ensure!(began.elapsed() < PATIENCE, "messages are missing");
        thread::sleep(PAUSE);
    }
    Ok(f64::from(messages) / began.elapsed().as_secs_f64())
}

/// Messages per second of a backlog that the client finds.
fn consumed<B: Bare>(runtime: &Runtime, bare: &Arc<B>, messages: u32) -> Result<f64> {
    publish(runtime, bare, BARE, PUBLISHERS, messages)?;
    let began = Instant::now();
    runtime.block_on(async {
        let consumed = tokio::time::timeout(PATIENCE, bare.consume(BARE, messages)).await;
        consumed.context("messages are missing")?
    })?;
    Ok(f64::from(messages) / began.elapsed().as_secs_f64())
}
