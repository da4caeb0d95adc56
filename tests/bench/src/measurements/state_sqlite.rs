//! Writes to `state.sqlite` beside bare SQLite that flushes the disk for every write: what group commit is worth.

use super::{driver, loops};
use crate::{
    paths,
    peers::sqlite::Sqlite,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::{Context, Result};
use berth_blocks::state::{Precondition, SetRequest, StateStore};
use bytes::Bytes;
use futures::future::try_join_all;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const VALUE: &str =
    r#"{"orderId":"17","customerId":"ada","items":[{"sku":"tea","qty":2}],"totalCents":1250}"#;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("state_sqlite")?;
    let bare = Sqlite::open(&folder.join("bare.db"))?;
    let runtime = loops::runtime()?;
    let opened = runtime.block_on(driver::open("state.sqlite", folder))?;
    let store = opened.state.context("state.sqlite serves state")?;
    let mut lines = Vec::new();
    for writers in [1, 64] {
        let [ours, theirs] = alternate(
            settings.rounds,
            [
                Box::new(|| load(&runtime, &store, writers, settings.round)),
                Box::new(|| bare.load(writers, VALUE, settings.round)),
            ],
        )?;
        let what = format!("writes, {writers} at a time");
        let peer = ("bare rusqlite", &theirs);
        lines.push(Line::beside(
            &what,
            Unit::PerSecond,
            &ours,
            peer,
            Budget::None,
        ));
    }
    drop(store);
    Ok(lines)
}

fn load(
    runtime: &Runtime,
    store: &Arc<dyn StateStore>,
    writers: usize,
    round: Duration,
) -> Result<f64> {
    runtime.block_on(async {
        let began = Instant::now();
        let tasks = (0..writers)
            .map(|writer| tokio::spawn(write_until(store.clone(), began + round, writer)));
        let mut written = 0;
        for count in try_join_all(tasks).await? {
            written += count?;
        }
        Ok(written as f64 / began.elapsed().as_secs_f64())
    })
}

async fn write_until(store: Arc<dyn StateStore>, end: Instant, writer: usize) -> Result<u64> {
    let mut written = 0;
    while Instant::now() < end {
        let request = SetRequest {
            key: format!("bench||{writer}-{}", written % 1000),
            value: Bytes::from_static(VALUE.as_bytes()),
            precondition: Precondition::None,
            consistency: None,
            ttl: None,
            content_type: None,
            metadata: Vec::new(),
        };
        store.set(request).await?;
        written += 1;
    }
    Ok(written)
}
