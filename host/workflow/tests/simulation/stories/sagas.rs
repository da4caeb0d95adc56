//! The saga: what was done is undone in reverse order, whatever fails and whenever the host is killed.

use crate::lab::{Lab, attempts, call};
use berth_blocks::workflow::Status;
use berth_workflow::{Failure, Payload, WaitError, WorkflowEnd};
use std::time::Duration;

const STEPS: [&str; 3] = ["reserve", "pay", "ship"];

/// A lab whose activity `failing` fails for good, and whose activities take a second.
fn saga(failing: &'static str) -> Lab {
    let lab = Lab::new();
    lab.code.workflow("saga", |context, _| async move {
        let mut done = Vec::new();
        let mut failed = None;
        for step in STEPS {
            match call(&context, step, attempts(3)).await {
                Ok(_) => done.push(step),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        for step in done.into_iter().rev().take_while(|_| failed.is_some()) {
            call(&context, &format!("undo {step}"), attempts(3))
                .await
                .ok();
        }
        match failed {
            None => WorkflowEnd::Completed(Payload::json("\"shipped\"")),
            Some(WaitError::Failed(failure)) => WorkflowEnd::Failed(failure),
            Some(other) => WorkflowEnd::Failed(Failure::new("saga", other.to_string())),
        }
    });
    for step in STEPS {
        let world = lab.world.clone();
        lab.code.activity(step, move |task| {
            let world = world.clone();
            async move {
                world.sleep(1_000).await;
                match task.name == failing {
                    true => Err(Failure::new("declined", task.name).non_retryable()),
                    false => Ok(Payload::default()),
                }
            }
        });
    }
    lab
}

/// Names of activities, those left out that directly repeat.
fn effects(lab: &Lab) -> Vec<String> {
    let mut names = lab.code.names();
    names.dedup();
    names
}

#[test]
fn a_failure_at_any_step_is_compensated_in_reverse_order() {
    for (failing, expected) in [
        ("reserve", &["reserve"][..]),
        ("pay", &["reserve", "pay", "undo reserve"]),
        (
            "ship",
            &["reserve", "pay", "ship", "undo pay", "undo reserve"],
        ),
        ("none", &["reserve", "pay", "ship"]),
    ] {
        let lab = saga(failing);
        let host = lab.host();
        lab.start(&host, "a", "saga", "1");
        let (status, _) = lab.outcome(&host, "a");
        assert_eq!(status == Status::Completed, failing == "none");
        assert_eq!(lab.code.names(), expected);
    }
}

#[test]
fn a_kill_at_any_time_changes_nothing_but_repeated_effects() {
    for millis in (100..4_500).step_by(300) {
        let lab = saga("ship");
        let host = lab.host();
        lab.start(&host, "a", "saga", "1");
        lab.pass(Duration::from_millis(millis));
        lab.kill(host);
        let host = lab.host();
        let expected = (Status::Failed, "declined: ship".to_owned());
        assert_eq!(lab.outcome(&host, "a"), expected);
        let all = ["reserve", "pay", "ship", "undo pay", "undo reserve"];
        assert_eq!(effects(&lab), all, "killed after {millis} ms");
    }
}

#[test]
fn a_cancellation_is_compensated_and_ends_as_canceled() {
    let lab = saga("none");
    let host = lab.host();
    lab.start(&host, "a", "saga", "1");
    lab.pass(Duration::from_millis(1_500));
    let engine = host.engine.clone();
    lab.outside(async move { engine.cancel(&crate::lab::key("a"), "customer").await })
        .unwrap();
    assert_eq!(
        lab.outcome(&host, "a"),
        (Status::Canceled, "saga: customer".to_owned())
    );
    assert_eq!(lab.code.names(), ["reserve", "pay", "undo reserve"]);
}
