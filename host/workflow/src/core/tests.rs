use super::*;
use crate::{ActivityOptions, ActivityScheduled, Failure, WaitError};
use berth_resources::Namespace;

fn key() -> InstanceKey {
    InstanceKey::new(Namespace::default(), "orders".parse().unwrap(), "order-17")
}

fn at(second: i64, kind: EventKind) -> Event {
    Event::new(Timestamp(second * 1_000), kind)
}

fn started() -> Event {
    let started = Started {
        workflow: "saga".to_owned(),
        execution: "run 1".to_owned(),
        seed: None,
        start_at: None,
        parent: None,
        generation: 0,
        traceparent: None,
    };
    at(0, EventKind::Started(started))
}

fn scheduled(name: &str) -> Event {
    let scheduled = ActivityScheduled {
        name: name.to_owned(),
        options: None,
        queued: false,
        input_replaced: false,
    };
    at(0, EventKind::ActivityScheduled(scheduled)).with(Payload::default())
}

fn run_of(past: impl IntoIterator<Item = Event>) -> Core {
    let past = std::iter::once(started()).chain(past).collect();
    Core::new(key(), past).unwrap()
}

fn activity(name: &str) -> Command {
    Command::Activity {
        name: name.to_owned(),
        input: Payload::default(),
        options: ActivityOptions::default(),
        queued: false,
    }
}

fn event(name: &str) -> Command {
    Command::Event {
        name: name.to_owned(),
        due: None,
    }
}

fn wait(core: &mut Core, of: u64) {
    core.poll_wait(&mut None, &WaitFor::Any(vec![of]), Waker::noop());
}

fn raise(core: &mut Core, name: &str, data: &'static str) {
    let event = at(
        1,
        EventKind::EventRaised {
            name: name.to_owned(),
        },
    );
    core.append(event.with(Payload::bytes(data)));
}

fn result(core: &Core, of: u64) -> Option<&'static str> {
    Some(match core.outcome(of)? {
        Ok(payload) => match &payload.data[..] {
            b"first" => "first",
            b"second" => "second",
            _ => "something",
        },
        Err(WaitError::Failed(_)) => "failed",
        Err(WaitError::TimedOut(_)) => "timed out",
        Err(WaitError::Canceled(_)) => "canceled",
    })
}

#[test]
fn a_command_is_the_one_that_is_recorded_or_the_instance_halts() {
    let mut core = run_of([scheduled("charge")]);
    assert_eq!(core.command(activity("charge")), Ok(1));

    let mut core = run_of([scheduled("charge")]);
    let timer = Command::Timer {
        due: Timestamp(30_000),
    };
    let halt = core.command(timer).unwrap_err().to_string();
    assert_eq!(
        halt,
        "at event 1: the history has activity \"charge\", the workflow asked for timer 30s"
    );
    // Nothing goes on after that, and nothing would be stored.
    assert!(core.command(activity("charge")).is_err());
    assert!(!core.has_fresh());
}

#[test]
fn another_input_is_another_command() {
    let mut core = run_of([scheduled("charge")]);
    let other = Command::Activity {
        name: "charge".to_owned(),
        input: Payload::json("17"),
        options: ActivityOptions::default(),
        queued: false,
    };
    let halt = core.command(other).unwrap_err().to_string();
    assert!(
        halt.ends_with("activity \"charge\" with another input or other options"),
        "{halt}"
    );
}

#[test]
fn waiting_where_the_history_has_a_command_halts() {
    let mut core = run_of([scheduled("charge"), scheduled("ship")]);
    let of = core.command(activity("charge")).unwrap();
    wait(&mut core, of);
    core.deliver_past();
    assert_eq!(
        core.halt.unwrap().to_string(),
        "at event 2: the history has activity \"ship\", the workflow asked for nothing more and waits for \
         activity \"charge\""
    );
}

#[test]
fn ending_before_the_history_does_halts() {
    let mut core = run_of([scheduled("charge")]);
    core.check_end("its end");
    assert_eq!(
        core.halt.unwrap().to_string(),
        "at event 1: the history has activity \"charge\", the workflow asked for its end"
    );
}

#[test]
fn events_are_handed_out_in_order_whoever_comes_first() {
    let mut core = run_of([]);
    raise(&mut core, "Paid", "first");
    let early = core.command(event("paid")).unwrap();
    let late = core.command(event("paid")).unwrap();
    assert_eq!(
        (result(&core, early), result(&core, late)),
        (Some("first"), None)
    );
    raise(&mut core, "PAID", "second");
    assert_eq!(result(&core, late), Some("second"));
}

#[test]
fn a_wait_that_timed_out_takes_no_event() {
    let mut core = run_of([]);
    let first = core.command(event("paid")).unwrap();
    core.append(at(1, EventKind::TimerFired { of: first }));
    raise(&mut core, "paid", "first");
    let second = core.command(event("paid")).unwrap();
    assert_eq!(result(&core, first), Some("timed out"));
    assert_eq!(result(&core, second), Some("first"));
}

#[test]
fn a_cancellation_ends_what_is_pending_and_nothing_later() {
    let mut core = run_of([]);
    let pending = core.command(activity("charge")).unwrap();
    let done = core.command(activity("reserve")).unwrap();
    core.append(at(1, EventKind::ActivityCompleted { of: done }));
    let reason = "customer".to_owned();
    core.append(at(2, EventKind::CancelRequested { reason }));
    let later = core.command(activity("refund")).unwrap();
    assert_eq!(result(&core, pending), Some("canceled"));
    assert_eq!(
        (result(&core, done), result(&core, later)),
        (Some("something"), None)
    );
    // A result that comes too late changes nothing.
    core.append(at(3, EventKind::ActivityCompleted { of: pending }));
    assert_eq!(result(&core, pending), Some("canceled"));
}

#[test]
fn a_patch_is_new_code_only_where_the_history_is_not_past_it() {
    let mut live = run_of([]);
    assert_eq!(live.patched("p"), Ok(true));
    let mut replayed = run_of([at(0, EventKind::Patched { id: "p".to_owned() })]);
    assert_eq!(replayed.patched("p"), Ok(true));
    let mut old = run_of([scheduled("charge")]);
    assert_eq!(old.patched("p"), Ok(false));
    assert_eq!(old.command(activity("charge")), Ok(1));
    // The first answer stays, also where the history ends.
    assert_eq!((old.patched("p"), old.patched("q")), (Ok(false), Ok(true)));
}

#[test]
fn marks_may_stand_anywhere() {
    let resumed = at(
        0,
        EventKind::Resumed {
            reason: String::new(),
        },
    );
    let mut core = run_of([resumed.clone(), scheduled("charge"), resumed.clone()]);
    assert_eq!(core.command(activity("charge")), Ok(2));
    core.pass_marks();
    assert!(!core.is_replaying());
    assert_eq!(core.next_seq(), 4);
}

#[test]
fn time_is_that_of_the_last_delivery() {
    let mut core = run_of([]);
    let of = core.command(activity("charge")).unwrap();
    let retrying = EventKind::ActivityRetrying {
        of,
        attempt: 1,
        failure: Failure::new("io", ""),
        retry_at: 9_000,
    };
    core.append(at(5, retrying));
    assert_eq!(core.now(), Timestamp(0));
    core.append(at(7, EventKind::ActivityCompleted { of }));
    assert_eq!(core.now(), Timestamp(7_000));
}

#[test]
fn randomness_is_a_function_of_the_run() {
    let (mut one, mut two) = (run_of([]), run_of([]));
    assert_eq!(one.random_bytes(40), two.random_bytes(40));
    assert_ne!(one.random_bytes(40), one.random_bytes(40));
    // Histories depend on these bytes.
    let first = run_of([]).random_bytes(4);
    assert_eq!(first, run_of([]).random_bytes(40)[..4]);
    assert_eq!(first, [40, 134, 114, 78]);
}

#[test]
fn limits_halt_the_instance() {
    let mut core = run_of([]);
    for _ in 0..crate::limits::PENDING_OPERATIONS_MAX {
        core.command(Command::Timer { due: Timestamp(1) }).unwrap();
    }
    let halt = core.command(activity("one too many")).unwrap_err();
    assert!(
        halt.to_string().starts_with("10000 operations are pending"),
        "{halt}"
    );
}

#[test]
fn many_operations_cost_no_more_each() {
    let mut core = run_of([]);
    let all: Vec<_> = (0..5_000)
        .map(|_| core.command(activity("one of many")).unwrap())
        .collect();
    let wait = WaitFor::All(all.clone());
    let mut id = None;
    assert!(!core.poll_wait(&mut id, &wait, Waker::noop()));
    for of in &all {
        assert!(core.is_blocked());
        core.append(at(1, EventKind::ActivityCompleted { of: *of }));
    }
    assert!(!core.is_blocked() && core.poll_wait(&mut id, &wait, Waker::noop()));
}
