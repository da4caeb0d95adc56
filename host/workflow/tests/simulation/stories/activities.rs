//! Attempts, retries, and what a crash does to them.

use crate::lab::{Lab, attempts, call, ended};
use berth_blocks::workflow::Status;
use berth_workflow::{ActivityOptions, Dispatch, Failure, Payload};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// A lab whose workflow `one` calls activity `step` with these options.
fn one(options: impl Fn() -> ActivityOptions + Send + Sync + 'static) -> Lab {
    let lab = Lab::new();
    lab.code.workflow("one", move |context, _| {
        let options = options();
        async move { ended(call(&context, "step", options).await) }
    });
    lab
}

#[test]
fn a_failed_attempt_is_made_again_as_the_policy_says() {
    let lab = one(ActivityOptions::default);
    let times = Arc::new(Mutex::new(Vec::new()));
    let (world, begun, noted) = (lab.world.clone(), lab.world.now(), times.clone());
    lab.code.activity("step", move |_| {
        noted
            .lock()
            .push(begun.until(world.now()).as_millis() / 100);
        async { Err(Failure::new("io", "no route")) }
    });
    let host = lab.host();
    lab.start(&host, "a", "one", "1");
    assert_eq!(
        lab.outcome(&host, "a"),
        (Status::Failed, "io: no route".to_owned())
    );
    assert_eq!(*times.lock(), [0, 10, 30]);
    assert_eq!(lab.code.attempts_of("step"), [1, 2, 3]);
}

#[test]
fn a_crash_between_attempts_keeps_their_count_and_time() {
    let lab = one(ActivityOptions::default);
    lab.code
        .activity("step", |_| async { Err(Failure::new("io", "no route")) });
    let host = lab.host();
    lab.start(&host, "a", "one", "1");
    lab.pass(Duration::from_millis(1_500));
    assert_eq!(lab.code.attempts_of("step"), [1, 2]);
    lab.kill(host);
    let host = lab.host();
    lab.pass(Duration::from_secs(10));
    assert_eq!(lab.outcome(&host, "a").0, Status::Failed);
    assert_eq!(lab.code.attempts_of("step"), [1, 2, 3]);
}

#[test]
fn an_attempt_that_takes_too_long_has_failed() {
    let lab = one(|| ActivityOptions {
        start_to_close: Some(Duration::from_secs(2)),
        ..attempts(2)
    });
    lab.code.activity("step", |task| async move {
        if task.attempt == 1 {
            std::future::pending::<()>().await;
        }
        Ok(Payload::json(task.attempt.to_string()))
    });
    let host = lab.host();
    lab.start(&host, "a", "one", "1");
    assert_eq!(lab.outcome(&host, "a"), (Status::Completed, "2".to_owned()));
}

/// The first crash shows in no record; from then on each attempt is recorded before it begins, and counts.
#[test]
fn an_activity_that_kills_its_host_is_tried_a_bounded_number_of_times() {
    let lab = one(|| attempts(3));
    lab.code.activity("step", |_| std::future::pending());
    let mut host = lab.host();
    lab.start(&host, "a", "one", "1");
    for _ in 0..20 {
        lab.pass(Duration::from_millis(500));
        if lab.row("a").state.status.is_terminal() {
            break;
        }
        lab.kill(host);
        host = lab.host();
        lab.pass(Duration::from_secs(12));
    }
    let (status, why) = lab.outcome(&host, "a");
    assert_eq!((status, &why[..11]), (Status::Failed, "berth.lost:"));
    assert_eq!(lab.code.attempts_of("step"), [1, 1, 2, 3]);
}

#[test]
fn an_attempt_whose_intent_is_recorded_is_not_repeated_without_notice() {
    let lab = one(|| ActivityOptions {
        record_intent: true,
        ..attempts(1)
    });
    lab.code.activity("step", |_| std::future::pending());
    let host = lab.host();
    lab.start(&host, "a", "one", "1");
    lab.pass(Duration::from_millis(500));
    lab.kill(host);
    let host = lab.host();
    assert!(lab.outcome(&host, "a").1.starts_with("berth.lost:"));
    assert_eq!(lab.code.attempts_of("step"), [1]);
}

#[test]
fn a_sequential_activity_takes_two_rows_and_one_commit() {
    let lab = Lab::new();
    lab.code.workflow("ten", |context, _| async move {
        for _ in 0..10 {
            call(&context, "step", ActivityOptions::default())
                .await
                .unwrap();
        }
        berth_workflow::WorkflowEnd::Completed(Payload::default())
    });
    let host = lab.host();
    lab.start(&host, "a", "ten", "1");
    let row = lab.end(&host, "a").row;
    // The start; each result with the command that follows. The first command goes with the first result.
    assert_eq!((row.events, row.version), (21, 1 + 10));
}

#[test]
fn a_queued_activity_runs_where_its_app_is() {
    let lab = one(|| ActivityOptions {
        app: Some("payments".to_owned()),
        ..ActivityOptions::default()
    });
    lab.code.activity("step", |task| async move {
        Ok(Payload::json(task.app.to_string()))
    });
    let host = lab.host();
    lab.start(&host, "a", "one", "1");
    let row = lab.until("a", |row| row.state.waiting.is_some());
    assert_eq!(row.state.waiting.unwrap().on, "activity \"step\"");
    lab.pass(Duration::from_secs(60));
    assert!(lab.code.attempts_of("step").is_empty());
    let other = lab.host_with(&["payments"]);
    assert_eq!(lab.outcome(&other, "a").1, "payments");
}

#[test]
fn a_queued_activity_that_kills_its_hosts_fails_in_the_end() {
    let lab = one(|| ActivityOptions {
        dispatch: Dispatch::Queued,
        ..attempts(1)
    });
    lab.code.activity("step", |_| std::future::pending());
    let mut host = lab.host();
    lab.start(&host, "a", "one", "1");
    for _ in 0..4 {
        lab.pass(Duration::from_secs(1));
        lab.kill(host);
        host = lab.host();
        lab.pass(Duration::from_secs(12));
    }
    assert!(lab.outcome(&host, "a").1.starts_with("berth.lost:"));
    assert_eq!(lab.code.attempts_of("step").len(), 3);
}

#[test]
fn a_large_result_survives_a_crash_beside_the_history() {
    let lab = Lab::new();
    lab.code.workflow("two", |context, _| async move {
        let large = call(&context, "large", ActivityOptions::default())
            .await
            .unwrap();
        call(&context, "step", ActivityOptions::default())
            .await
            .unwrap();
        berth_workflow::WorkflowEnd::Completed(Payload::json(large.data.len().to_string()))
    });
    lab.code
        .activity("large", |_| async { Ok(Payload::bytes(vec![7; 200_000])) });
    let world = lab.world.clone();
    lab.code.activity("step", move |_| {
        let world = world.clone();
        async move {
            world.sleep(3_000).await;
            Ok(Payload::default())
        }
    });
    let host = lab.host();
    lab.start(&host, "a", "two", "1");
    lab.pass(Duration::from_secs(1));
    assert_eq!(lab.disk.counts().blobs, 1);
    lab.kill(host);
    let host = lab.host();
    assert_eq!(lab.outcome(&host, "a").1, "200000");
    assert_eq!(lab.code.attempts_of("large"), [1]);
}

#[test]
fn a_result_over_the_limit_is_a_failure_of_the_activity() {
    let lab = one(|| attempts(5));
    lab.code.activity("step", |_| async {
        Ok(Payload::bytes(vec![0; (4 << 20) + 1]))
    });
    let host = lab.host();
    lab.start(&host, "a", "one", "1");
    let (status, why) = lab.outcome(&host, "a");
    assert_eq!(status, Status::Failed);
    assert_eq!(
        why,
        "berth.too-large: the result has 4194305 bytes, the limit is 4194304"
    );
}
