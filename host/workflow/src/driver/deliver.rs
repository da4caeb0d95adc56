//! Gives the waiting code what has arrived, one thing at a time: what it does in between stays in order.

use super::{Driver, attempt::AttemptEnded};
use crate::{
    Event, EventKind, Failure, Payload,
    core::OperationKind,
    limits::PAYLOAD_BYTES_MAX,
    message::{Letter, Message},
};
use berth_blocks::workflow::{InstanceKey, MessageId, Outgoing, Status, Timestamp};

impl Driver {
    /// Whether something has arrived that was not given to the code.
    pub(super) fn has_input(&self) -> bool {
        if self.state.status == Status::Suspended {
            return false;
        }
        self.attempts.has_ended() || !self.inbox.letters.is_empty()
    }

    /// Takes the next thing in; `false`: nothing has arrived.
    pub(super) fn deliver_next(&mut self) -> bool {
        if let Some(ended) = self.attempts.next_ended() {
            self.attempt_ended(ended);
        } else if let Some((id, letter)) = self.inbox.letters.pop_front() {
            self.letter(id, letter);
        } else if let Some(of) = self.next_due() {
            self.fire(of);
        } else {
            return false;
        }
        self.idle_since = self.shared.platform.now();
        true
    }

    fn deliver(&mut self, kind: EventKind, payload: Option<Payload>) {
        let at = self.now();
        let event = Event { at, kind, payload };
        self.core.lock().append(event);
    }

    fn letter(&mut self, id: MessageId, letter: Letter) {
        self.consumed.push(id);
        match letter.message {
            Message::Raise { name } => {
                self.deliver(EventKind::EventRaised { name }, letter.payload);
            }
            Message::Cancel { reason } => self.cancel(reason),
            Message::Suspend { reason } => {
                self.set_suspended(Status::Suspended, EventKind::Suspended { reason });
            }
            // Not suspended: nothing to do. A termination never comes here.
            Message::Resume { .. } | Message::Terminate { .. } => {}
            Message::ChildEnded {
                execution,
                of,
                failure,
            } => {
                if self.waits_for(&execution, of) {
                    self.child_ended(of, failure, letter.payload);
                }
            }
            Message::AttemptEnded {
                execution,
                of,
                attempt,
                failure,
            } => {
                if self.waits_for(&execution, of) {
                    let result = match failure {
                        None => Ok(letter.payload.unwrap_or_default()),
                        Some(failure) => Err(failure),
                    };
                    self.attempt_ended(AttemptEnded {
                        of,
                        attempt,
                        result,
                    });
                }
            }
        }
    }

    /// Whether this run still waits for an operation.
    fn waits_for(&self, execution: &str, of: u64) -> bool {
        let mut core = self.core.lock();
        core.started.execution == execution && core.pending_operation(of).is_some()
    }

    /// A result, or the decision about another attempt. An attempt that is not the present one came too late.
    fn attempt_ended(&mut self, ended: AttemptEnded) {
        let of = ended.of;
        let now = self.now();
        let next = {
            let mut core = self.core.lock();
            let Some(operation) = core.pending_operation(of) else {
                return;
            };
            let scheduled_at = operation.at;
            let Some(activity) = operation.activity() else {
                return;
            };
            if ended.attempt != activity.attempt() {
                return;
            }
            let failure = ended.result.as_ref().err();
            failure.and_then(|failure| {
                let retry = &activity.options.retry;
                retry.next_attempt(ended.attempt, failure, scheduled_at, now)
            })
        };
        match (ended.result, next) {
            (Ok(payload), _) if payload.data.len() > PAYLOAD_BYTES_MAX => {
                let failure = too_large(payload.data.len());
                self.deliver(EventKind::ActivityFailed { of, failure }, None);
            }
            (Ok(payload), _) => {
                self.deliver(EventKind::ActivityCompleted { of }, Some(payload));
            }
            (Err(failure), None) => {
                self.deliver(EventKind::ActivityFailed { of, failure }, None);
            }
            (Err(failure), Some(retry_at)) => {
                let mark = EventKind::ActivityRetrying {
                    of,
                    attempt: ended.attempt,
                    failure,
                    retry_at: retry_at.0,
                };
                self.core.lock().append_mark(Event::new(now, mark));
                self.arm_retry(of, retry_at);
            }
        }
    }

    /// A result, or another child in the place of one that failed.
    fn child_ended(&mut self, of: u64, failure: Option<Failure>, payload: Option<Payload>) {
        let Some(failure) = failure else {
            return self.deliver(EventKind::ChildCompleted { of }, payload);
        };
        match self.next_child(of, &failure) {
            Some(mark) => {
                let at = self.now();
                self.core.lock().append_mark(Event::new(at, mark));
            }
            None => self.deliver(EventKind::ChildFailed { of, failure }, None),
        }
    }

    /// The next attempt of a child, as its policy says. It has an instance ID of its own: that of the one that failed is
    /// taken.
    fn next_child(&self, of: u64, failure: &Failure) -> Option<EventKind> {
        let now = self.now();
        let mut core = self.core.lock();
        let scheduled_at = core.pending_operation(of)?.at;
        let child = core.pending_child(of)?;
        let attempt = child.failed_attempts.saturating_add(1);
        let retry = child.retry.as_ref()?;
        let retry_at = retry.next_attempt(attempt, failure, scheduled_at, now)?;
        Some(EventKind::ChildRetrying {
            of,
            attempt,
            failure: failure.clone(),
            id: format!("{}:{}", child.first_id, attempt.saturating_add(1)),
            retry_at: retry_at.0,
        })
    }

    /// The store makes a queued attempt visible when its time has come.
    pub(super) fn arm_retry(&mut self, of: u64, at: Timestamp) {
        let mut core = self.core.lock();
        let activity = core
            .pending_operation(of)
            .and_then(|operation| operation.activity());
        if activity.is_some_and(|activity| !activity.queued) {
            self.due.insert((at, of));
        }
    }

    /// Everything that is pending ends as canceled: attempts are dropped, children are asked to cancel, too.
    fn cancel(&mut self, reason: String) {
        let now = self.now();
        {
            let core = self.core.lock();
            if core.cancel_requested {
                return;
            }
            for (seq, operation) in core.pending() {
                match &operation.kind {
                    OperationKind::Activity(activity) if activity.queued => {
                        self.dropped_tasks.push(seq);
                    }
                    OperationKind::Activity(_) => self.attempts.abandon(seq),
                    OperationKind::Child(child) => {
                        let reason = reason.clone();
                        let to = child_key(&self.key, child.app.as_deref(), &child.id);
                        let message = Message::Cancel { reason };
                        self.sends.push(outgoing(to, &message, None, now));
                    }
                    OperationKind::Timer { .. } | OperationKind::Event { .. } => {}
                }
            }
        }
        self.deliver(EventKind::CancelRequested { reason }, None);
    }

    /// The operation whose time has come first; of several the one that was asked for first.
    fn next_due(&mut self) -> Option<u64> {
        let now = self.shared.platform.now();
        while let Some((at, of)) = self.due.first().copied() {
            if at > now {
                return None;
            }
            self.due.remove(&(at, of));
            if self.core.lock().pending_operation(of).is_some() {
                return Some(of);
            }
        }
        None
    }

    fn fire(&mut self, of: u64) {
        let is_activity = {
            let mut core = self.core.lock();
            let operation = core.pending_operation(of);
            operation.is_some_and(|operation| operation.activity().is_some())
        };
        if is_activity {
            self.attempts.ready(of);
        } else {
            self.deliver(EventKind::TimerFired { of }, None);
        }
    }
}

/// The key of a child, in the namespace of its parent.
pub(super) fn child_key(parent: &InstanceKey, app: Option<&str>, id: &str) -> InstanceKey {
    let other = app.and_then(|app| app.parse().ok());
    InstanceKey::new(
        parent.namespace.clone(),
        other.unwrap_or_else(|| parent.app.clone()),
        id,
    )
}

/// A message for another instance.
pub(super) fn outgoing(
    to: InstanceKey,
    message: &Message,
    payload: Option<&Payload>,
    at: Timestamp,
) -> Outgoing {
    let message = berth_blocks::workflow::Message {
        dedup: None,
        body: crate::codec::encode(message, payload),
        at,
    };
    Outgoing { to, message }
}

pub(super) fn too_large(bytes: usize) -> Failure {
    let text = format!("the result has {bytes} bytes, the limit is {PAYLOAD_BYTES_MAX}");
    Failure::new(Failure::TOO_LARGE, text).non_retryable()
}
