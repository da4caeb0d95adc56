//! What an instance knows while its code runs: a state machine over its history, without any input or output.
//!
//! The code asks for commands through [`Context`](crate::Context); the driver gives deliveries. While there is a
//! recorded past, both are checked against it; after that they extend it. So live and replayed runs take the same path.

mod command;
mod deliver;
mod operation;
mod random;
#[cfg(test)]
mod tests;
mod wait;

pub(crate) use command::Command;
pub(crate) use operation::{Activity, Child, Operation, OperationKind, Outcome};
pub(crate) use wait::WaitFor;

use crate::{Event, EventKind, Payload, Started, event::Role};
use berth_blocks::workflow::{InstanceKey, Timestamp};
pub use random::Random;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    task::Waker,
};
use wait::Waiters;

/// Where code and history parted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Number of the event.
    pub(crate) seq: u64,
    /// What the history has there.
    pub(crate) recorded: String,
    /// What the code did instead.
    pub(crate) asked: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "at event {}: the history has {}, the workflow asked for {}",
            self.seq, self.recorded, self.asked
        )
    }
}

/// Why the code must not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It does not fit the history.
    Mismatch(Mismatch),
    /// A bound of the engine, in words.
    Limit(String),
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mismatch(mismatch) => mismatch.fmt(f),
            Self::Limit(limit) => f.write_str(limit),
        }
    }
}

/// What the code asked for when it continues as new.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ContinueAsNew {
    pub(crate) input: Payload,
    pub(crate) keep_events: bool,
}

/// The run of an instance.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) key: InstanceKey,
    pub(crate) started: Arc<Started>,
    pub(crate) input: Payload,
    /// W3C `traceparent` of the run, which all that it does carries.
    pub(crate) traceparent: Option<Arc<str>>,
    /// When the run began.
    pub(crate) began: Timestamp,
    /// Recorded events that the code has yet to come by.
    past: VecDeque<Event>,
    /// Number of the first event in `past`, or of the next one.
    position: u64,
    /// Events that are not yet stored.
    fresh: Vec<Event>,
    /// Time of the last delivery.
    now: Timestamp,
    operations: BTreeMap<u64, Operation>,
    /// Operations without an outcome.
    pending: BTreeSet<u64>,
    /// Operations that the driver has not seen.
    begun: Vec<u64>,
    /// External events that nobody has waited for, by name in lower case.
    raised: BTreeMap<String, VecDeque<Payload>>,
    buffered: usize,
    /// Operations that wait for an external event, oldest first.
    listening: BTreeMap<String, VecDeque<u64>>,
    /// Calls of the code that wait.
    waiters: Waiters,
    /// Answers that `patched` has given.
    patches: BTreeMap<String, bool>,
    random: Random,
    pub(crate) custom_status: Option<String>,
    pub(crate) cancel_requested: bool,
    pub(crate) continue_as_new: Option<ContinueAsNew>,
    pub(crate) halt: Option<Halt>,
    /// Code that waits and wants to hear of a halt.
    on_halt: Option<Waker>,
}

impl Core {
    /// The run that a history begins with. `None`: the history does not begin with a start.
    pub(crate) fn new(key: InstanceKey, mut past: VecDeque<Event>) -> Option<Self> {
        let first = past.pop_front()?;
        let EventKind::Started(started) = first.kind else {
            return None;
        };
        let mut core = Self {
            random: Random::new(started.seed.as_ref().unwrap_or(&started.execution)),
            key,
            traceparent: started.own_traceparent().map(Into::into),
            started: Arc::new(started),
            input: first.payload.unwrap_or_default(),
            past,
            position: 1,
            fresh: Vec::new(),
            began: first.at,
            now: first.at,
            operations: BTreeMap::new(),
            pending: BTreeSet::new(),
            begun: Vec::new(),
            raised: BTreeMap::new(),
            buffered: 0,
            listening: BTreeMap::new(),
            waiters: Waiters::default(),
            patches: BTreeMap::new(),
            custom_status: None,
            cancel_requested: false,
            continue_as_new: None,
            halt: None,
            on_halt: None,
        };
        core.take_prologue();
        Some(core)
    }

    /// Deliveries before the first command were there before the code ran: events that the run before left over.
    fn take_prologue(&mut self) {
        self.pass_marks();
        while let Some(event) = self
            .past
            .pop_front_if(|event| event.kind.role() == Role::Delivery)
        {
            self.pass(event);
            self.pass_marks();
        }
    }

    /// Marks may stand anywhere: the code does not see them.
    pub(crate) fn pass_marks(&mut self) {
        while let Some(event) = self
            .past
            .pop_front_if(|event| event.kind.role() == Role::Mark)
        {
            self.pass(event);
        }
    }

    /// Takes a recorded event in.
    fn pass(&mut self, event: Event) {
        let seq = self.position;
        self.position += 1;
        self.apply(seq, event);
    }

    /// Appends an event and takes it in.
    pub(crate) fn append(&mut self, event: Event) {
        let seq = self.position;
        self.position += 1;
        self.fresh.push(event.clone());
        self.apply(seq, event);
    }

    /// Appends a mark, also while there is a past that the code has not come by.
    pub(crate) fn append_mark(&mut self, event: Event) {
        if self.past.is_empty() {
            return self.append(event);
        }
        self.fresh.push(event.clone());
        self.past.push_back(event);
    }

    /// Whether the code is at a place that is recorded.
    pub(crate) fn is_replaying(&self) -> bool {
        !self.past.is_empty()
    }

    /// The time that the code sees.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Number of the next event.
    pub(crate) fn next_seq(&self) -> u64 {
        self.position + self.past.len() as u64
    }

    /// Number of the first event that is not stored.
    pub(crate) fn stored_events(&self) -> u64 {
        self.next_seq() - self.fresh.len() as u64
    }

    /// Events that are not stored, by number.
    pub(crate) fn fresh(&self) -> impl Iterator<Item = (u64, &Event)> {
        (self.stored_events()..).zip(&self.fresh)
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// The fresh events are stored now.
    pub(crate) fn mark_stored(&mut self) {
        self.fresh.clear();
    }

    /// Forgets the events that are not stored; the code must not go on after that.
    pub(crate) fn drop_fresh(&mut self) {
        // Marks that were appended behind a past are in both.
        let ahead = self.fresh.len().min(self.past.len());
        self.past.truncate(self.past.len() - ahead);
        self.position -= (self.fresh.len() - ahead) as u64;
        self.fresh.clear();
    }

    /// Whether the code waits for deliveries, and for nothing that it already has.
    pub(crate) fn is_blocked(&self) -> bool {
        self.waiters.all_wait()
    }

    /// Operations that are pending.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (u64, &Operation)> {
        let pending = self.pending.iter();
        pending.filter_map(|seq| Some((*seq, self.operations.get(seq)?)))
    }

    /// Operations that began since the last call and are pending.
    pub(crate) fn take_begun(&mut self) -> Vec<u64> {
        let mut begun = std::mem::take(&mut self.begun);
        begun.retain(|seq| self.pending.contains(seq));
        begun
    }

    /// Takes the whole past in as if the code had lived through it: to see what was pending at its end.
    pub(crate) fn live_through(&mut self) {
        while let Some(event) = self.past.pop_front() {
            self.pass(event);
        }
    }

    /// Children that were started and have not ended, also those that the code has not come by.
    pub(crate) fn open_children(&self) -> BTreeMap<u64, (Option<String>, String)> {
        let mut open = BTreeMap::new();
        for (seq, operation) in self.pending() {
            if let OperationKind::Child(child) = &operation.kind {
                open.insert(seq, (child.app.clone(), child.id.clone()));
            }
        }
        for (seq, event) in (self.position..).zip(&self.past) {
            match &event.kind {
                EventKind::ChildScheduled(child) => {
                    open.insert(seq, (child.app.clone(), child.id.clone()));
                }
                EventKind::ChildCompleted { of } | EventKind::ChildFailed { of, .. } => {
                    open.remove(of);
                }
                _ => {}
            }
        }
        open
    }

    pub(crate) fn pending_operation(&mut self, seq: u64) -> Option<&mut Operation> {
        let operation = self.operations.get_mut(&seq)?;
        operation.outcome.is_none().then_some(operation)
    }

    /// An activity that is pending.
    pub(crate) fn pending_activity(&self, seq: u64) -> Option<&Activity> {
        let operation = self.operations.get(&seq)?;
        operation.activity().filter(|_| operation.outcome.is_none())
    }

    /// A child that is pending.
    pub(crate) fn pending_child(&self, seq: u64) -> Option<&Child> {
        let operation = self.operations.get(&seq)?;
        match &operation.kind {
            OperationKind::Child(child) if operation.outcome.is_none() => Some(child),
            _ => None,
        }
    }

    /// How an operation ended; `None`: it is pending, or there is none of this number.
    pub(crate) fn outcome(&self, seq: u64) -> Option<&Outcome> {
        self.operations.get(&seq)?.outcome.as_ref()
    }

    /// What the waiting code waits for, in words.
    pub(crate) fn waiting_on(&self) -> Option<String> {
        let mut waiting = self.waiters.operations();
        let first = self.operations.get(&waiting.next()?)?.describe();
        Some(match waiting.count() {
            0 => first,
            more => format!("{first} and {more} more"),
        })
    }

    /// External events that nobody has waited for, in the order of their names, then of their arrival.
    pub(crate) fn take_raised(&mut self) -> Vec<(String, Payload)> {
        self.buffered = 0;
        let raised = std::mem::take(&mut self.raised).into_iter();
        raised
            .flat_map(|(name, payloads)| {
                payloads
                    .into_iter()
                    .map(move |payload| (name.clone(), payload))
            })
            .collect()
    }

    /// The code ended: what is left of the past is a mismatch.
    pub(crate) fn check_end(&mut self, asked: &str) {
        self.pass_marks();
        if let Some(recorded) = self.past.front() {
            self.halt = Some(Halt::Mismatch(Mismatch {
                seq: self.position,
                recorded: recorded.describe(),
                asked: asked.to_owned(),
            }));
        }
    }

    /// Registers a waiting call, or says that it need not wait.
    pub(crate) fn poll_wait(
        &mut self,
        id: &mut Option<u64>,
        wait: &WaitFor,
        waker: &Waker,
    ) -> bool {
        let ready = self
            .waiters
            .poll(id, wait, waker, |seq| self.pending.contains(seq));
        if let (true, Some(id)) = (ready, id.take_if(|_| ready)) {
            self.waiters.remove(id);
        }
        ready
    }

    /// Whether the code must not go on; if not, `waker` hears of it.
    pub(crate) fn poll_halt(&mut self, waker: &Waker) -> bool {
        if self.halt.is_none() {
            match &mut self.on_halt {
                Some(known) => known.clone_from(waker),
                unknown => *unknown = Some(waker.clone()),
            }
        }
        self.halt.is_some()
    }

    /// Tells code that waits of a halt. Whether there is any that wants to know.
    pub(crate) fn tell_halt(&mut self) -> bool {
        self.on_halt.take().is_some_and(|waker| {
            waker.wake();
            true
        })
    }

    /// A waiting call was given up.
    pub(crate) fn forget_wait(&mut self, id: u64) {
        self.waiters.remove(id);
    }

    pub(crate) fn system_random(&self) -> Random {
        let started = &self.started;
        let seed = started.seed.as_ref().unwrap_or(&started.execution);
        Random::new(&format!("{seed}/system"))
    }

    pub(crate) fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        self.random.bytes(count)
    }
}
