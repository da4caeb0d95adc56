//! Waits for the next thing that concerns the instance.

use super::{Driver, Exit};
use crate::engine::Wish;
use berth_blocks::workflow::{Status, Timestamp};
use futures::{FutureExt, future::poll_fn};
use std::{pin::pin, task::Poll};

/// What ended a wait.
#[derive(PartialEq, Eq)]
enum Woken {
    /// A result, the code, or a time that has come.
    Something,
    /// A message may be in the inbox.
    Message,
    /// The engine wants something.
    Wish,
}

impl Driver {
    /// Waits until something has happened; gives the instance up when it has been idle for long, or on demand.
    pub(super) async fn wait(&mut self) -> Result<Option<Exit>, Exit> {
        match self.instance.wish() {
            Wish::Stay => {}
            Wish::GoIfIdle if !self.can_be_released() => {}
            Wish::GoIfIdle | Wish::Go => return self.give_up().await.map(Some),
        }
        let now = self.shared.platform.now();
        if self.can_be_released() && now >= self.idle_since.after(self.shared.config.idle_after) {
            return self.give_up().await.map(Some);
        }
        self.instance.note(self.core.lock().is_blocked(), now);
        let woken = self.woken(self.next_time()).await;
        self.instance.note(false, self.shared.platform.now());
        if woken == Woken::Message {
            self.inbox.stale = true;
        }
        let now = self.shared.platform.now();
        if self.flush_at.is_some_and(|at| at <= now) {
            self.commit_now(None).await?;
        }
        Ok(None)
    }

    /// The next time at which there is something to do.
    fn next_time(&self) -> Option<Timestamp> {
        let suspended = self.state.status == Status::Suspended;
        let due = self.due.first().map(|(at, _)| *at).filter(|_| !suspended);
        let idle = self
            .can_be_released()
            .then(|| self.idle_since.after(self.shared.config.idle_after));
        let poll = self.shared.config.inbox_interval;
        let poll = poll.map(|interval| self.shared.platform.now().after(interval));
        [due, idle, poll, self.flush_at].into_iter().flatten().min()
    }

    async fn woken(&mut self, at: Option<Timestamp>) -> Woken {
        let platform = self.shared.platform.clone();
        let mut time = match at {
            Some(at) => platform.sleep_until(at),
            None => Box::pin(std::future::pending()),
        };
        let polls = self.shared.config.inbox_interval.is_some();
        let instance = self.instance.clone();
        let mut message = pin!(instance.message.notified());
        let mut wish = pin!(instance.wishes.notified());
        let mut yielded = false;
        poll_fn(|cx| {
            if message.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woken::Message);
            }
            if wish.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woken::Wish);
            }
            if self.attempts.poll(cx).is_ready() {
                return Poll::Ready(Woken::Something);
            }
            if time.poll_unpin(cx).is_ready() {
                return Poll::Ready(if polls {
                    Woken::Message
                } else {
                    Woken::Something
                });
            }
            let woken = self.guest.as_mut().is_some_and(|guest| guest.is_woken(cx));
            if woken && self.state.status != Status::Suspended {
                // Code that works for long lets others run in between.
                if std::mem::replace(&mut yielded, true) {
                    return Poll::Ready(Woken::Something);
                }
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// Whether nothing would be lost but time if another host, or this one later, went on.
    fn can_be_released(&self) -> bool {
        let blocked = self.core.lock().is_blocked();
        self.attempts.is_idle()
            && !self.has_input()
            && !self.inbox.stale
            && !self.is_due()
            && (blocked || self.state.status == Status::Suspended)
    }

    /// Whether a timer, a timeout or an attempt waits for its turn only.
    fn is_due(&self) -> bool {
        let now = self.shared.platform.now();
        let due = self.due.first().is_some_and(|(at, _)| *at <= now);
        due && self.state.status != Status::Suspended
    }

    /// Gives the instance up; it is taken again when a message comes or its next time has come.
    async fn give_up(&mut self) -> Result<Exit, Exit> {
        let suspended = self.state.status == Status::Suspended;
        let due = self.due.first().map(|(at, _)| *at).filter(|_| !suspended);
        let busy = !self.can_be_released();
        let ready_at = if busy {
            Some(self.shared.platform.now())
        } else {
            due
        };
        if !busy && self.core.lock().has_fresh() {
            self.commit_now(None).await?;
        }
        let release = self.release_at(ready_at);
        self.reach("before release").await;
        let released = self
            .shared
            .store
            .release(&self.key, self.epoch, release)
            .await;
        released.map_err(super::exit)?;
        Ok(Exit::Released)
    }
}
