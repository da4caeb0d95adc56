//! What must hold at the end of a story.

use crate::{
    disk::Disk,
    guest::Execution,
    program::Program,
    run::{Options, Plan, Root, Story, fits},
    world::at_once,
};
use berth_blocks::workflow::{InstanceKey, InstanceRow, InstanceState, Status};
use berth_workflow::{Event, EventKind, Replay, WorkflowEnd, replay};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The history of an instance, payloads of blobs included.
pub fn history(disk: &Disk, key: &InstanceKey) -> Vec<Event> {
    let rows = at_once(disk.history(key, 0, usize::MAX)).unwrap_or_default();
    rows.iter()
        .map(|row| Event::decode(&row.body).unwrap())
        .collect()
}

/// Every instance and its history, as stored.
pub fn stored(disk: &Disk) -> Vec<(InstanceKey, InstanceState, Vec<Bytes>)> {
    let of = |row: InstanceRow| {
        let rows = at_once(disk.history(&row.key, 0, usize::MAX)).unwrap_or_default();
        (
            row.key,
            row.state,
            rows.into_iter().map(|row| row.body).collect(),
        )
    };
    disk.rows().into_iter().map(of).collect()
}

/// The program that an instance runs.
pub fn program_of(disk: &Disk, key: &InstanceKey) -> Program {
    let events = history(disk, key);
    let input = events[0].payload.clone().unwrap();
    let [seed, depth, ..]: [u64; 4] = serde_json::from_slice(&input.data).unwrap();
    Program::of(seed, u32::try_from(depth).unwrap())
}

/// I1, I2: what was acknowledged has happened, and gave what the model gives.
pub fn outcomes(story: &Story, roots: &[Root], violations: &mut Vec<String>) {
    let plain = roots
        .iter()
        .all(|root| matches!(root.plan, Plan::Plain | Plan::Suspend));
    for row in story.disk.rows() {
        let root = roots.iter().find(|root| root.key == row.key);
        let status = row.state.status;
        if let Some(root) = root.filter(|root| !fits(root.plan, status)) {
            violations.push(format!(
                "I2: {:?} ({:?}) is {status}: {:?}",
                row.key, root.plan, row.state
            ));
            continue;
        }
        if root.is_none() && plain && status != Status::Completed {
            violations.push(format!(
                "I2: child {:?} is {status}: {:?}",
                row.key, row.state
            ));
            continue;
        }
        if status == Status::Completed {
            let expected = program_of(&story.disk, &row.key).expected();
            let outcome = row.state.outcome.clone().unwrap_or_default();
            if !outcome.ends_with(expected.to_string().as_bytes()) {
                violations.push(format!(
                    "I2: {:?} gave {outcome:?}, expected {expected}",
                    row.key
                ));
            }
        }
        if status == Status::Canceled && !story.ledger.lock().compensated.contains(&row.key) {
            violations.push(format!(
                "I2: {:?} was canceled and not compensated",
                row.key
            ));
        }
    }
}

/// Every history replays: the code comes by all of it, and ends as it ended.
pub fn replays(story: &Arc<Story>, violations: &mut Vec<String>) {
    let guests = story.guests(vec![]);
    for row in story.disk.rows() {
        let mut events = history(&story.disk, &row.key);
        let completed = row.state.status == Status::Completed;
        restore_blobs(&story.disk, &row.key, &mut events);
        match at_once(replay(&guests, &row.key, events, None)) {
            Replay::Ended(WorkflowEnd::Completed(payload)) if completed => {
                let outcome = row.state.outcome.clone().unwrap_or_default();
                if !outcome.ends_with(&payload.data) {
                    violations.push(format!("I2: {:?} replays to {payload:?}", row.key));
                }
            }
            Replay::Ended(_) | Replay::Waits if !completed => {}
            other => violations.push(format!("I3: {:?} replays to {other:?}", row.key)),
        }
    }
}

fn restore_blobs(disk: &Disk, key: &InstanceKey, events: &mut [Event]) {
    let rows = at_once(disk.history(key, 0, usize::MAX)).unwrap_or_default();
    for (row, event) in rows.iter().zip(events) {
        let head = String::from_utf8_lossy(&row.body).into_owned();
        if let (Some(payload), Some((_, rest))) = (&mut event.payload, head.split_once("\"b\":\""))
            && payload.data.is_empty()
            && let Some((digest, _)) = rest.split_once('"')
        {
            let bytes = at_once(disk.blob(key, digest)).unwrap_or_default();
            payload.data = bytes.unwrap_or_default();
        }
    }
}

/// I3, I4: histories are whole, and no operation has two results.
pub fn histories(story: &Story, violations: &mut Vec<String>) {
    for row in story.disk.rows() {
        let events = history(&story.disk, &row.key);
        if events.len() as u64 != row.events || !matches!(events[0].kind, EventKind::Started(_)) {
            violations.push(format!("I3: the history of {:?} is not whole", row.key));
        }
        let mut ended = BTreeSet::new();
        let mut last = events[0].at;
        for event in &events {
            if is_delivery(event) {
                if event.at < last {
                    violations.push(format!("I3: {:?} goes back in time at {event:?}", row.key));
                }
                last = event.at;
            }
            if let Some(of) = ends(event)
                && !ended.insert(of)
            {
                violations.push(format!(
                    "I4: operation {of} of {:?} has two results",
                    row.key
                ));
            }
        }
    }
}

fn is_delivery(event: &Event) -> bool {
    ends(event).is_some() || matches!(event.kind, EventKind::EventRaised { .. })
}

fn ends(event: &Event) -> Option<u64> {
    match event.kind {
        EventKind::ActivityCompleted { of }
        | EventKind::ActivityFailed { of, .. }
        | EventKind::TimerFired { of }
        | EventKind::ChildCompleted { of }
        | EventKind::ChildFailed { of, .. } => Some(of),
        _ => None,
    }
}

/// I4: each activity was executed, and only as often as it had to be when nothing went wrong.
pub fn executions(story: &Story, roots: &[Root], options: Options, violations: &mut Vec<String>) {
    let ledger = story.ledger.lock();
    let mut counts: BTreeMap<(InstanceKey, u64), u32> = BTreeMap::new();
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    for Execution {
        key,
        idempotency_key,
        number,
        ..
    } in &ledger.executions
    {
        *counts.entry((key.clone(), *number)).or_default() += 1;
        let known = numbers.entry(idempotency_key.clone()).or_insert(*number);
        if known != number {
            violations.push(format!(
                "I4: {idempotency_key} names two activities of {key:?}"
            ));
        }
    }
    let calm = !options.faults && options.crash_at == [None; 2];
    let plain = roots.iter().all(|root| root.plan == Plan::Plain);
    for row in story.disk.rows() {
        if row.state.status != Status::Completed {
            continue;
        }
        for call in program_of(&story.disk, &row.key).calls() {
            let count = counts
                .get(&(row.key.clone(), call.number))
                .copied()
                .unwrap_or(0);
            let expected = call.attempts();
            if count == 0 || (calm && plain && count != expected) {
                violations.push(format!(
                    "I4: activity {} of {:?} was executed {count} times, expected {expected}: {call:?}",
                    call.number, row.key
                ));
            }
        }
    }
}

/// What an unfinished story waits for.
pub fn unfinished(story: &Story) -> Vec<String> {
    let rows = story.disk.rows();
    let open = rows.iter().filter(|row| !row.state.status.is_terminal());
    let mut all: Vec<_> = open.map(describe).collect();
    if rows.is_empty() {
        all.push("nothing was started".to_owned());
    }
    all
}

fn describe(row: &InstanceRow) -> String {
    let InstanceRow {
        key,
        state,
        owner,
        ready_at,
        epoch,
        events,
        ..
    } = row;
    format!(
        "    {key:?} {} events={events} epoch={epoch} owner={owner:?} ready_at={ready_at:?} waiting={:?} problem={:?}",
        state.status, state.waiting, state.problem
    )
}
