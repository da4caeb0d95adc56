//! One call into a guest, as a future that its caller drives.
//!
//! The task that waits for the answer polls the guest itself: a second task would cost a wake-up across threads for
//! every chunk, which is most of what a small request costs.

use crate::{admission::Permit, failure::Failure, meter::CpuClock};
use futures::future::BoxFuture;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};
use tokio::time::Sleep;

/// A guest at work. Dropped: the guest is killed and its place is free.
pub(crate) struct Run {
    guest: BoxFuture<'static, Result<(), Failure>>,
    cpu: Arc<CpuClock>,
    deadline: Instant,
    /// Armed when the guest first waits: most calls end before.
    timer: Option<Pin<Box<Sleep>>>,
    _permit: Permit,
}

impl Run {
    pub(crate) fn new(
        guest: BoxFuture<'static, Result<(), Failure>>,
        cpu: Arc<CpuClock>,
        deadline: Instant,
        permit: Permit,
    ) -> Self {
        Self {
            guest,
            cpu,
            deadline,
            timer: None,
            _permit: permit,
        }
    }
}

impl Future for Run {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.cpu.begin();
        let polled = self.guest.as_mut().poll(context);
        self.cpu.end();
        if polled.is_ready() {
            return polled;
        }
        let deadline = self.deadline;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer
            .as_mut()
            .poll(context)
            .map(|()| Err(Failure::WallTime))
    }
}
