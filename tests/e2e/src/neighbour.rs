//! The app next door: it must keep answering whatever another one does.

use crate::Client;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::{sync::watch, task::JoinHandle};

/// Pause between two requests.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest time to an answer. Two cores that other tests use as well answer late, but they answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks one path again and again until it is told to stop.
#[derive(Debug)]
pub struct Neighbour {
    stop: watch::Sender<bool>,
    asking: JoinHandle<Result<u64>>,
}

impl Neighbour {
    /// Begins to ask.
    #[must_use]
    pub fn watch(client: &Client, path: &'static str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let client = client.clone();
        let asking = tokio::spawn(async move {
            let mut answers = 0;
            loop {
                let begun = Instant::now();
                let answer = client.get(path).await?;
                let took = begun.elapsed();
                ensure!(
                    answer.status == 200,
                    "the neighbour answers {answer} after {answers} good answers"
                );
                ensure!(took < PATIENCE, "the neighbour's answer took {took:?}");
                answers += 1;
                if *stopped.borrow() {
                    return Ok(answers);
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { stop, asking }
    }

    /// Stops asking. At least one answer came after the trouble.
    ///
    /// # Errors
    /// An answer was wrong, or came late.
    pub async fn is_well(self) -> Result<u64> {
        let _ = self.stop.send(true);
        self.asking.await?
    }
}
