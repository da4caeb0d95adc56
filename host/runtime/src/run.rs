//! One call into a guest, as a future that its caller drives.
//!
//! The task that waits for the answer polls the guest itself: a second task would cost a wake-up across threads for
//! every chunk, which is most of what a small request costs. For the same reason what guest and body tell each other
//! while they are polled does not wake the task: tokio would wake another worker to look after it.

use crate::{admission::Permit, failure::Failure, meter::CpuClock};
use futures::{future::BoxFuture, task::AtomicWaker};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};
use tokio::time::Sleep;

/// How often guest and answer are polled in turn before other tasks get their chance.
const ROUNDS: usize = 8;

/// A guest at work. Dropped: the guest is killed and its place is free.
pub(crate) struct Run {
    guest: BoxFuture<'static, Result<(), Failure>>,
    /// How the guest ended, while nobody has asked yet.
    ended: Option<Result<(), Failure>>,
    cpu: Arc<CpuClock>,
    deadline: Instant,
    /// Armed when the guest first waits for something outside: most calls end before.
    timer: Option<Pin<Box<Sleep>>>,
    relay: Arc<Relay>,
    /// Wakes the relay.
    waker: Waker,
    _permit: Permit,
}

/// What came first while a guest was driven.
pub(crate) enum Driven<T> {
    /// What was looked for. The guest may work on.
    Found(T),
    /// The end of the guest, which must not be driven again.
    Ended(Result<(), Failure>),
}

impl Run {
    pub(crate) fn new(
        guest: BoxFuture<'static, Result<(), Failure>>,
        cpu: Arc<CpuClock>,
        deadline: Instant,
        permit: Permit,
    ) -> Self {
        let relay = Arc::new(Relay::default());
        Self {
            guest,
            ended: None,
            cpu,
            deadline,
            timer: None,
            waker: relay.clone().into(),
            relay,
            _permit: permit,
        }
    }

    /// Whether the guest has ended well and only what it left behind is to be fetched.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.ended, Some(Ok(())))
    }

    /// Why the guest stopped, if it did and nobody was told yet.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.ended.take_if(|ended| ended.is_err())?.err()
    }

    /// Polls the guest and `look` in turn until `look` finds something, the guest ends, or both wait for the world.
    ///
    /// Whoever was given something is expected to come back for more by itself, as for the frames of a body.
    pub(crate) fn drive<T>(
        &mut self,
        context: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Driven<T>> {
        let waker = self.waker.clone();
        let held = &mut Context::from_waker(&waker);
        self.relay.hold(context.waker());
        let mut found = look(held);
        for _ in 0..ROUNDS {
            if let Poll::Ready(found) = found {
                self.relay.release();
                return Poll::Ready(Driven::Found(found));
            }
            if let Some(ended) = self.ended.take() {
                self.relay.release();
                return Poll::Ready(Driven::Ended(ended));
            }
            self.relay.hold(context.waker());
            self.cpu.begin();
            if let Poll::Ready(ended) = self.guest.as_mut().poll(held) {
                self.ended = Some(ended);
            }
            self.cpu.end();
            found = look(held);
            let waits = found.is_pending() && self.ended.is_none();
            if waits && !self.relay.release() {
                let out_of_time = self.poll_deadline(context);
                return out_of_time.map(|()| Driven::Ended(Err(Failure::WallTime)));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(context)
    }
}

impl Future for Run {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = self.drive(context, |_| Poll::<Infallible>::Pending);
        ended.map(|driven| match driven {
            Driven::Ended(ended) => ended,
            Driven::Found(never) => match never {},
        })
    }
}

/// Wakes the task that drives a guest, unless that happens while it does: then it is only noted.
#[derive(Debug, Default)]
struct Relay {
    state: AtomicU8,
    task: AtomicWaker,
}

/// Nobody polls: a wake-up goes to the task.
const IDLE: u8 = 0;
/// The task polls: a wake-up is noted.
const HELD: u8 = 1;
/// The task polls and has been woken meanwhile.
const NOTED: u8 = 2;

impl Relay {
    /// From now on wake-ups are only noted.
    fn hold(&self, task: &Waker) {
        self.task.register(task);
        self.state.store(HELD, Ordering::Release);
    }

    /// From now on wake-ups go to the task. Tells whether there was one meanwhile.
    fn release(&self) -> bool {
        self.state.swap(IDLE, Ordering::AcqRel) == NOTED
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let noted = |state| (state != IDLE).then_some(NOTED);
        let noted = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, noted);
        if noted.is_err() {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn relay() -> (Arc<Relay>, Arc<Counted>) {
        let (relay, task) = (Arc::new(Relay::default()), Arc::new(Counted::default()));
        relay.hold(&task.clone().into());
        (relay, task)
    }

    #[test]
    fn a_wake_up_while_the_task_polls_is_noted_and_does_not_wake_it() {
        let (relay, task) = relay();
        relay.wake_by_ref();
        relay.wake_by_ref();
        assert!(relay.release());
        assert_eq!(task.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_wake_up_while_the_task_waits_wakes_it() {
        let (relay, task) = relay();
        assert!(!relay.release());
        relay.wake_by_ref();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
    }
}
