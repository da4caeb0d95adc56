//! Calls in a loop, from several callers at the same time: of guests, and of tasks of this process.

use crate::{http, server::Server};
use anyhow::Result;
use futures::future::try_join_all;
use std::{
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(300);
/// Keys by which the loops of two guests are apart, see the guest.
const STRIDE: u32 = 16;

/// The runtime of what is measured in this process.
pub fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().build()?)
}

/// Calls per second of several instances of the guest `bench`, each of which repeats what `path` names.
pub fn guests(host: &Server, path: &str, callers: u32, calls: u32) -> Result<f64> {
    let each = calls / callers;
    let began = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|caller| {
                let path = format!("{path}?n={each}&from={}", caller * STRIDE);
                scope.spawn(move || http::get(host.address, &path, PATIENCE))
            })
            .collect();
        for thread in threads {
            let answered = thread.join();
            answered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(f64::from(each * callers) / began.elapsed().as_secs_f64())
    })
}

/// Calls per second of several tasks, each of which makes its share of the calls.
pub fn natives<F>(
    runtime: &Runtime,
    callers: u32,
    calls: u32,
    work: impl Fn(u32) -> F,
) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    runtime.block_on(async {
        let began = Instant::now();
        for done in try_join_all((0..callers).map(|caller| tokio::spawn(work(caller)))).await? {
            done?;
        }
        Ok(f64::from(calls / callers * callers) / began.elapsed().as_secs_f64())
    })
}
