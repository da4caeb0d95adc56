//! A task that ends with its owner.

use std::future::Future;
use tokio::task::JoinHandle;

/// Aborted when dropped.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// Waits for its end. Do not call it again after that.
    pub(crate) async fn ended(&mut self) {
        // However it ended, it is over.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
