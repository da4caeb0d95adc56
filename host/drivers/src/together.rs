//! Calls on a shared connection, sent together.
//!
//! The task of a connection is woken by the first call that has something to send, and a scheduler runs it next: alone, it
//! would write that one command, and one system call each for those that follow. While several calls are under way it
//! lets whatever else can run go first, so that their commands travel as one message. It waits for a part of them only:
//! the server has something to do meanwhile.

use crate::task::Task;
use futures::task::AtomicWaker;
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

/// The part of the calls under way that is sent without waiting for more. All of them would have client and server wait
/// for each other; with single ones most of the time goes into system calls.
const PART: usize = 4;
/// That part at most: a system call costs as much as some commands.
const PART_MAX: usize = 16;

/// The calls of a connection that wait for an answer. Clones count the same calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Underway(Arc<Calls>);

#[derive(Debug, Default)]
struct Calls {
    waiting: AtomicUsize,
    /// Those that began since the connection last had its turn.
    begun: AtomicUsize,
    /// The connection, while it stands back.
    connection: AtomicWaker,
}

/// A call that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Calls>);

impl Underway {
    pub(crate) fn begin(&self) -> Waiting {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        if self.0.are_enough() {
            self.0.connection.wake();
        }
        Waiting(self.0.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Drives a connection in a task of its own.
    pub(crate) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) -> Task {
        Task::spawn(Together {
            connection: Box::pin(connection),
            underway: self.clone(),
            stood_back: false,
        })
    }
}

impl Calls {
    /// Whether what has begun is worth a message.
    fn are_enough(&self) -> bool {
        let part = self.waiting.load(Ordering::Relaxed) / PART;
        self.begun.load(Ordering::Relaxed) >= part.clamp(1, PART_MAX)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Together<C> {
    connection: Pin<Box<C>>,
    underway: Underway,
    stood_back: bool,
}

impl<C: Future<Output = ()>> Future for Together<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let calls = &self.underway.0;
        // Woken without any that began, it is for an answer.
        let any = calls.begun.load(Ordering::Relaxed) > 0;
        let stand_back = !self.stood_back && any && !calls.are_enough();
        if stand_back {
            calls.connection.register(context.waker());
        } else {
            calls.connection.take();
            calls.begun.store(0, Ordering::Relaxed);
        }
        self.stood_back = stand_back;
        if !stand_back {
            return self.connection.as_mut().poll(context);
        }
        // Wakes this task when the others have had their turn.
        pin!(tokio::task::yield_now()).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use tokio::sync::mpsc;

    /// How many messages each turn of a connection found, when tasks of one worker send one each. So many further calls
    /// wait meanwhile.
    async fn turns(calls: usize, others: usize) -> Vec<usize> {
        let (sender, mut messages) = mpsc::unbounded_channel();
        let (done, mut turns) = mpsc::unbounded_channel();
        let underway = Underway::default();
        let others: Vec<_> = (0..others).map(|_| underway.begin()).collect();
        let mut driver = underway.spawn(async move {
            let mut batch = Vec::new();
            while messages.recv_many(&mut batch, usize::MAX).await > 0 {
                done.send(batch.drain(..).count()).unwrap();
            }
        });
        let call = move |_| {
            let (sender, underway) = (sender.clone(), underway.clone());
            tokio::spawn(async move {
                let waiting = underway.begin();
                sender.send(()).unwrap();
                waiting
            })
        };
        // From the worker itself, which runs them only when all are there.
        tokio::spawn(async move { join_all((0..calls).map(call)).await })
            .await
            .unwrap();
        driver.ended().await;
        drop(others);
        let mut found = Vec::new();
        while let Some(count) = turns.recv().await {
            found.push(count);
        }
        found
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_call_among_few_is_sent_at_once() {
        assert_eq!(turns(1, 0).await, [1]);
        assert_eq!(turns(1, PART).await, [1]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn calls_among_many_travel_together_but_not_all_of_them() {
        let turns = turns(160, 1_000).await;
        assert_eq!(turns.iter().sum::<usize>(), 160);
        assert!(turns.len() <= 20, "{turns:?}");
        assert!(turns.iter().all(|calls| *calls <= PART_MAX), "{turns:?}");
    }
}
