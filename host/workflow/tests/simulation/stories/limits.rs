//! Code that misbehaves: its instance suffers, no other.

use crate::lab::{Lab, attempts, call, ended, key};
use berth_blocks::workflow::Status;
use berth_workflow::{Payload, WorkflowEnd};
use std::time::Duration;

/// Lets others run once.
async fn yield_once() {
    let mut yielded = false;
    futures::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn lab() -> Lab {
    let lab = Lab::new();
    lab.code.workflow("good", |context, _| async move {
        ended(call(&context, "step", attempts(1)).await)
    });
    lab
}

#[test]
fn code_that_never_waits_can_be_terminated_and_harms_nobody() {
    let lab = lab();
    lab.code.workflow("loops", |_, _| async {
        loop {
            yield_once().await;
        }
    });
    let host = lab.host();
    lab.start(&host, "bad", "loops", "1");
    lab.start(&host, "good", "good", "1");
    // The clock stands still while it loops.
    lab.until("good", |row| row.state.status == Status::Completed);
    let engine = host.engine.clone();
    lab.outside(async move { engine.terminate(&key("bad"), "loops", false).await })
        .unwrap();
    lab.until("bad", |row| row.state.status == Status::Terminated);
}

#[test]
fn code_that_waits_for_nothing_is_reported() {
    let lab = lab();
    lab.code.workflow("lost", |_, _| std::future::pending());
    let host = lab.host();
    lab.start(&host, "bad", "lost", "1");
    lab.start(&host, "good", "good", "1");
    lab.end(&host, "good");
    lab.pass(Duration::from_secs(30));
    assert_eq!(host.engine.overdue(), []);
    lab.pass(Duration::from_secs(60));
    let overdue = host.engine.overdue();
    assert_eq!(
        overdue
            .iter()
            .map(|overdue| &overdue.key)
            .collect::<Vec<_>>(),
        [&key("bad")]
    );
}

#[test]
fn a_flood_of_history_stalls_the_instance() {
    let lab = lab();
    lab.code.workflow("floods", |context, _| async move {
        loop {
            match context.schedule_timer(Duration::from_secs(3_600)) {
                Ok(_) => {}
                Err(_) => return WorkflowEnd::Completed(Payload::json("\"must not count\"")),
            }
        }
    });
    let host = lab.host();
    lab.start(&host, "bad", "floods", "1");
    let row = lab.until("bad", |row| row.state.status == Status::Stalled);
    let problem = row.state.problem.unwrap();
    assert!(
        problem.starts_with("10000 operations are pending, which is the limit"),
        "{problem}"
    );
    assert_eq!((row.events, row.owner), (1, None));
}

#[test]
fn an_instance_that_cannot_run_here_is_tried_again() {
    let lab = lab();
    let host = lab.host();
    lab.start(&host, "a", "late", "1");
    let row = lab.until("a", |row| row.state.problem.is_some());
    assert_eq!(row.state.problem.as_deref(), Some("no workflow \"late\""));
    lab.code.workflow("late", |context, _| async move {
        ended(call(&context, "step", attempts(1)).await)
    });
    assert_eq!(lab.outcome(&host, "a").0, Status::Completed);
    assert_eq!(lab.row("a").state.problem, None);
}

#[test]
fn code_that_panics_costs_its_host_nothing() {
    let lab = lab();
    let panics = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = panics.clone();
    lab.code.workflow("panics", move |context, _| {
        let count = count.clone();
        async move {
            let result = call(&context, "step", attempts(10)).await;
            let before = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(before > 2, "the first three times");
            ended(result)
        }
    });
    let host = lab.host();
    lab.start(&host, "bad", "panics", "1");
    lab.start(&host, "good", "good", "1");
    assert_eq!(lab.outcome(&host, "good").0, Status::Completed);
    assert_eq!(lab.outcome(&host, "bad").0, Status::Completed);
    assert!(panics.load(std::sync::atomic::Ordering::Relaxed) > 3);
}

#[test]
fn an_activity_that_panics_fails_after_a_bounded_number_of_times() {
    let lab = Lab::new();
    lab.code.workflow("one", |context, _| async move {
        ended(call(&context, "panics", attempts(3)).await)
    });
    lab.code
        .activity("panics", |_| async { panic!("an activity of a test") });
    let host = lab.host();
    lab.start(&host, "a", "one", "1");
    assert!(lab.outcome(&host, "a").1.starts_with("berth.lost:"));
    assert!(lab.code.attempts_of("panics").len() <= 4);
}
