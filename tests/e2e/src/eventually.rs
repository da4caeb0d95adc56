//! Waiting for conditions, never for a time.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Long enough for anything that a host does promptly, on a machine that is busy with other tests.
#[must_use]
pub fn timely() -> Duration {
    Duration::from_secs(60)
}

/// Tries until it succeeds. `Err` means "not yet" and holds what was seen instead.
///
/// # Errors
/// It did not succeed within `bound`; the text has what was seen last.
pub async fn eventually<T>(
    what: &str,
    bound: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T> {
    let begun = Instant::now();
    let mut pause = PAUSE_FIRST;
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(seen) if begun.elapsed() > bound => {
                bail!("not within {bound:?}: {what}. Seen last: {seen}")
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
