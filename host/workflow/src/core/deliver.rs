//! What the code is given.

use super::{Core, Halt, Mismatch, OperationKind, Outcome, operation::Activity};
use crate::{Event, EventKind, Payload, WaitError, event::Role, limits::BUFFERED_EVENTS_MAX};
use berth_blocks::workflow::Timestamp;

impl Core {
    /// Gives the waiting code the next recorded delivery. `false`: there is none, the past has been lived through.
    pub(crate) fn deliver_past(&mut self) -> bool {
        self.pass_marks();
        let Some(event) = self.past.pop_front() else {
            return false;
        };
        if event.kind.role() == Role::Command {
            let asked = self.waiting_on().unwrap_or_else(|| "nothing".to_owned());
            self.halt = Some(Halt::Mismatch(Mismatch {
                seq: self.position,
                recorded: event.describe(),
                asked: format!("nothing more and waits for {asked}"),
            }));
            self.past.push_front(event);
            return true;
        }
        self.pass(event);
        true
    }

    /// Takes an event in, recorded or fresh. One that comes too late changes nothing but the time.
    pub(super) fn apply(&mut self, seq: u64, event: Event) {
        match event.kind.role() {
            Role::Command => return self.command_passed(seq, event),
            Role::Delivery => self.now = self.now.max(event.at),
            Role::Mark => {}
        }
        let payload = event.payload.unwrap_or_default();
        match event.kind {
            EventKind::ActivityCompleted { of } | EventKind::ChildCompleted { of } => {
                self.end(of, Ok(payload));
            }
            EventKind::ActivityFailed { of, failure } | EventKind::ChildFailed { of, failure } => {
                self.end(of, Err(WaitError::Failed(failure)));
            }
            EventKind::TimerFired { of } => self.fire(of),
            EventKind::EventRaised { name } => self.raise(&name, payload),
            EventKind::CancelRequested { reason } => self.cancel(&reason),
            EventKind::ActivityStarted { of, attempt } => {
                self.with_activity(of, |activity| activity.begun_attempt = Some(attempt));
            }
            EventKind::ChildRetrying {
                of, attempt, id, ..
            } => self.next_child(of, attempt, id),
            EventKind::ActivityRetrying {
                of,
                attempt,
                retry_at,
                ..
            } => self.with_activity(of, |activity| {
                activity.failed_attempts = activity.failed_attempts.max(attempt);
                activity.begun_attempt = None;
                activity.retry_at = Some(Timestamp(retry_at));
            }),
            _ => {}
        }
    }

    fn command_passed(&mut self, seq: u64, event: Event) {
        if let EventKind::Patched { id } = event.kind {
            self.patches.insert(id, true);
        } else {
            self.begin(seq, event);
        }
    }

    fn with_activity(&mut self, of: u64, change: impl FnOnce(&mut Activity)) {
        let operation = self.operations.get_mut(&of);
        if let Some(activity) = operation.and_then(|operation| operation.activity_mut()) {
            change(activity);
        }
    }

    fn next_child(&mut self, of: u64, failed_attempt: u32, id: String) {
        let operation = self
            .operations
            .get_mut(&of)
            .map(|operation| &mut operation.kind);
        if let Some(OperationKind::Child(child)) = operation {
            child.failed_attempts = child.failed_attempts.max(failed_attempt);
            child.id = id;
        }
    }

    /// Ends an operation, unless it has ended.
    fn end(&mut self, of: u64, outcome: Outcome) {
        let Some(operation) = self.pending_operation(of) else {
            return;
        };
        operation.outcome = Some(outcome);
        operation.drop_input();
        self.pending.remove(&of);
        self.waiters.wake(of);
    }

    fn fire(&mut self, of: u64) {
        let Some(operation) = self.operations.get(&of) else {
            return;
        };
        let outcome = match &operation.kind {
            OperationKind::Event { name, .. } => {
                let text = format!("event \"{name}\" did not come in time");
                self.stop_listening(of);
                Err(WaitError::TimedOut(text))
            }
            _ => Ok(Payload::default()),
        };
        self.end(of, outcome);
    }

    /// An external event goes to who has waited longest, or waits itself.
    fn raise(&mut self, name: &str, payload: Payload) {
        let key = name.to_ascii_lowercase();
        let listener = self
            .listening
            .get_mut(&key)
            .and_then(|list| list.pop_front());
        if let Some(seq) = listener {
            return self.end(seq, Ok(payload));
        }
        if self.buffered >= BUFFERED_EVENTS_MAX {
            self.halt.get_or_insert(Halt::Limit(format!(
                "{BUFFERED_EVENTS_MAX} external events wait for nobody, which is the limit"
            )));
            return;
        }
        self.buffered += 1;
        self.raised.entry(key).or_default().push_back(payload);
    }

    fn stop_listening(&mut self, seq: u64) {
        self.listening.retain(|_, waiting| {
            waiting.retain(|other| *other != seq);
            !waiting.is_empty()
        });
    }

    /// Ends everything that is pending. What begins later works, so that compensation can run.
    fn cancel(&mut self, reason: &str) {
        self.cancel_requested = true;
        self.listening.clear();
        for seq in self.pending.clone() {
            self.end(seq, Err(WaitError::Canceled(reason.to_owned())));
        }
    }
}
