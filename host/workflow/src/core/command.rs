//! What the code asks for.

use super::{
    Core, Halt, Mismatch, Operation, OperationKind,
    operation::{Activity, Child},
};
use crate::{
    ActivityOptions, ActivityScheduled, ChildScheduled, Event, EventKind, Payload, RetryPolicy,
    limits::{HISTORY_EVENTS_MAX, PENDING_OPERATIONS_MAX},
};
use berth_blocks::workflow::Timestamp;

/// A command, before it has a number.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Activity {
        name: String,
        input: Payload,
        options: ActivityOptions,
        queued: bool,
    },
    Timer {
        due: Timestamp,
    },
    Event {
        name: String,
        due: Option<Timestamp>,
    },
    Child {
        name: String,
        app: Option<String>,
        id: Option<String>,
        input: Payload,
        retry: Option<Box<RetryPolicy>>,
    },
}

impl Core {
    /// The next command of the code: checked against the past, or recorded. Gives its number.
    pub(crate) fn command(&mut self, command: Command) -> Result<u64, Halt> {
        self.pass_marks();
        let event = self.event_of(command);
        self.check_limits()?;
        let seq = self.position;
        match self.past.front() {
            None => self.append(event),
            Some(recorded) if is_same(recorded, &event) => {
                // The recorded one, which knows the ID of a child or a replaced input.
                if let Some(recorded) = self.past.pop_front() {
                    self.pass(recorded);
                }
            }
            Some(recorded) => {
                let (recorded, mut asked) = (recorded.describe(), event.describe());
                if recorded == asked {
                    asked.push_str(" with another input or other options");
                }
                return self.halt(Halt::Mismatch(Mismatch {
                    seq,
                    recorded,
                    asked,
                }));
            }
        }
        Ok(seq)
    }

    /// Whether code that was changed while instances were running takes the new path. An instance that was past this
    /// place before the change keeps the old one. The first answer for an ID stays.
    pub(crate) fn patched(&mut self, id: &str) -> Result<bool, Halt> {
        if let Some(halt) = &self.halt {
            return Err(halt.clone());
        }
        if let Some(answer) = self.patches.get(id) {
            return Ok(*answer);
        }
        self.pass_marks();
        let recorded = self.past.front().map(|event| &event.kind);
        let answer = match recorded {
            None => {
                let kind = EventKind::Patched { id: id.to_owned() };
                self.append(Event::new(self.now, kind));
                true
            }
            Some(EventKind::Patched { id: recorded }) if recorded == id => {
                if let Some(event) = self.past.pop_front() {
                    self.pass(event);
                }
                true
            }
            Some(_) => false,
        };
        self.patches.insert(id.to_owned(), answer);
        Ok(answer)
    }

    fn halt<T>(&mut self, halt: Halt) -> Result<T, Halt> {
        Err(self.halt.get_or_insert(halt).clone())
    }

    fn check_limits(&mut self) -> Result<(), Halt> {
        if let Some(halt) = &self.halt {
            return Err(halt.clone());
        }
        if self.position >= HISTORY_EVENTS_MAX {
            return self.halt(Halt::Limit(format!(
                "the history has {HISTORY_EVENTS_MAX} events, which is the limit: workflows that go on for long \
                 continue as new"
            )));
        }
        if self.pending.len() >= PENDING_OPERATIONS_MAX {
            return self.halt(Halt::Limit(format!(
                "{PENDING_OPERATIONS_MAX} operations are pending, which is the limit: await some before you begin more"
            )));
        }
        Ok(())
    }

    fn event_of(&mut self, command: Command) -> Event {
        let at = self.now;
        match command {
            Command::Activity {
                name,
                input,
                options,
                queued,
            } => {
                let is_default = options == ActivityOptions::default();
                let scheduled = ActivityScheduled {
                    name,
                    options: (!is_default).then(|| Box::new(options)),
                    queued,
                    input_replaced: false,
                };
                Event::new(at, EventKind::ActivityScheduled(scheduled)).with(input)
            }
            Command::Timer { due } => Event::new(at, EventKind::TimerCreated { due: due.0 }),
            Command::Event { name, due } => {
                let due = due.map(|due| due.0);
                Event::new(at, EventKind::EventAwaited { name, due })
            }
            Command::Child {
                name,
                app,
                id,
                input,
                retry,
            } => {
                let own = || format!("{}:{}", self.started.execution, self.position);
                let scheduled = ChildScheduled {
                    name,
                    app,
                    id: id.clone().unwrap_or_else(own),
                    asked_id: id,
                    retry,
                };
                Event::new(at, EventKind::ChildScheduled(scheduled)).with(input)
            }
        }
    }

    /// Takes a command's event in.
    pub(super) fn begin(&mut self, seq: u64, event: Event) {
        let input = event.payload.unwrap_or_default();
        let kind = match event.kind {
            EventKind::ActivityScheduled(scheduled) => OperationKind::Activity(Activity {
                name: scheduled.name,
                input,
                options: scheduled.options.map_or_else(Default::default, |all| *all),
                queued: scheduled.queued,
                failed_attempts: 0,
                begun_attempt: None,
                retry_at: None,
                suspect: false,
            }),
            EventKind::TimerCreated { due } => OperationKind::Timer {
                due: Timestamp(due),
            },
            EventKind::EventAwaited { name, due } => {
                return self.listen(seq, event.at, name, due.map(Timestamp));
            }
            EventKind::ChildScheduled(scheduled) => OperationKind::Child(Child {
                name: scheduled.name,
                app: scheduled.app,
                first_id: scheduled.id.clone(),
                id: scheduled.id,
                input,
                retry: scheduled.retry,
                failed_attempts: 0,
            }),
            _ => return,
        };
        self.operations.insert(seq, Operation::new(kind, event.at));
        self.pending.insert(seq);
        self.begun.push(seq);
    }

    /// An event that was raised before ends the wait at once.
    fn listen(&mut self, seq: u64, at: Timestamp, name: String, due: Option<Timestamp>) {
        let key = name.to_ascii_lowercase();
        let early = self
            .raised
            .get_mut(&key)
            .and_then(|raised| raised.pop_front());
        let mut operation = Operation::new(OperationKind::Event { name, due }, at);
        match early {
            Some(payload) => {
                self.buffered -= 1;
                operation.outcome = Some(Ok(payload));
            }
            None => {
                self.listening.entry(key).or_default().push_back(seq);
                self.pending.insert(seq);
                self.begun.push(seq);
            }
        }
        self.operations.insert(seq, operation);
    }
}

/// Whether a recorded command is the one that the code asks for: kind, name, options and input. Whether an activity is
/// queued depends on the host that scheduled it, and the ID of a child on nothing that the code can see.
fn is_same(recorded: &Event, asked: &Event) -> bool {
    match (&recorded.kind, &asked.kind) {
        (EventKind::ActivityScheduled(a), EventKind::ActivityScheduled(b)) => {
            let input = a.input_replaced || recorded.payload == asked.payload;
            a.name == b.name && a.options == b.options && input
        }
        (EventKind::ChildScheduled(a), EventKind::ChildScheduled(b)) => {
            a.name == b.name
                && a.app == b.app
                && a.asked_id == b.asked_id
                && a.retry == b.retry
                && recorded.payload == asked.payload
        }
        (a, b) => a == b,
    }
}
