//! The running code of a workflow.

use crate::WorkflowEnd;
use futures::{future::BoxFuture, task::AtomicWaker};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Remembers that the code was woken, so that it is polled only when it can go on.
#[derive(Debug, Default)]
struct Signal {
    woken: AtomicBool,
    driver: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.driver.wake();
    }
}

/// A workflow's future, alive while the instance is owned.
pub(crate) struct Guest {
    future: BoxFuture<'static, WorkflowEnd>,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Guest {
    pub(crate) fn new(future: BoxFuture<'static, WorkflowEnd>) -> Self {
        let signal = Arc::new(Signal {
            woken: AtomicBool::new(true),
            driver: AtomicWaker::new(),
        });
        Self {
            future,
            waker: signal.clone().into(),
            signal,
        }
    }

    /// Polls the code if it was woken.
    pub(crate) fn poll(&mut self) -> Poll<WorkflowEnd> {
        if !self.signal.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(&self.waker);
        self.future.as_mut().poll(&mut cx)
    }

    /// Whether it can go on; if not, the caller is woken when it can. Exclusive, since futures are not shared between
    /// threads.
    pub(crate) fn is_woken(&mut self, cx: &Context<'_>) -> bool {
        self.signal.driver.register(cx.waker());
        self.signal.woken.load(Ordering::Acquire)
    }
}
