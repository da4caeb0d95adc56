//! Starting: policies, races, delays, hosts that come and go.

use crate::lab::{Lab, attempts, call, ended, key};
use berth_blocks::workflow::{InstanceKey, Status};
use berth_resources::Namespace;
use berth_workflow::{
    Conflict, Engine, Failure, Payload, Reuse, StartOptions, StartedInstance, WorkflowEnd,
    WorkflowError,
};
use futures::future::join_all;
use std::{sync::Arc, time::Duration};

fn lab() -> Lab {
    let lab = Lab::new();
    lab.code.workflow("step", |context, _| async move {
        ended(call(&context, "step", attempts(1)).await)
    });
    lab.code.workflow("fails", |_, _| async {
        WorkflowEnd::Failed(Failure::new("x", "y"))
    });
    let world = lab.world.clone();
    lab.code.activity("step", move |task| {
        let world = world.clone();
        async move {
            world.sleep(5_000).await;
            Ok(task.input)
        }
    });
    lab
}

async fn start(
    engine: Arc<Engine>,
    workflow: &'static str,
    reuse: Reuse,
    conflict: Conflict,
) -> Result<StartedInstance, WorkflowError> {
    let options = StartOptions {
        reuse,
        conflict,
        ..StartOptions::default()
    };
    engine
        .start(&key("a"), workflow, Payload::json("1"), options)
        .await
}

#[test]
fn of_many_starts_of_one_id_one_wins() {
    let lab = lab();
    let hosts = [lab.host(), lab.host()];
    let starts: Vec<_> = (0..40)
        .map(|number| {
            start(
                hosts[number % 2].engine.clone(),
                "step",
                Reuse::Ended,
                Conflict::UseExisting,
            )
        })
        .collect();
    let answers = lab.outside(join_all(starts));
    let runs: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().row.execution)
        .collect();
    assert!(runs.iter().all(|run| *run == runs[0]));
    assert_eq!(lab.outcome(&hosts[0], "a").0, Status::Completed);
    assert_eq!(lab.code.attempts_of("step"), [1]);
}

#[test]
fn policies_decide_about_an_id_that_is_taken() {
    let lab = lab();
    let host = lab.host();
    let go = |workflow, reuse, conflict| {
        lab.outside(start(host.engine.clone(), workflow, reuse, conflict))
    };
    let first = go("step", Reuse::Ended, Conflict::Fail).unwrap();
    let running = go("step", Reuse::Ended, Conflict::Fail).unwrap_err();
    let text = "there is already a workflow \"a\" of app \"app\", which is RUNNING".to_owned();
    assert!(
        running == WorkflowError::Exists(text.clone())
            || running == WorkflowError::Exists(text.replace("RUNNING", "PENDING")),
        "{running}"
    );
    let existing = go("step", Reuse::Ended, Conflict::UseExisting).unwrap();
    assert!(existing.existed && existing.row.execution == first.row.execution);
    let replaced = go("fails", Reuse::Ended, Conflict::Terminate).unwrap();
    assert!(!replaced.existed && replaced.row.execution != first.row.execution);
    assert_eq!(lab.outcome(&host, "a").0, Status::Failed);
    assert!(go("step", Reuse::Never, Conflict::Fail).is_err());
    assert!(go("step", Reuse::Failed, Conflict::Fail).is_ok());
    assert_eq!(lab.outcome(&host, "a").0, Status::Completed);
    assert!(go("step", Reuse::Failed, Conflict::Terminate).is_err());
    assert!(go("step", Reuse::Ended, Conflict::Fail).is_ok());
}

#[test]
fn a_start_may_lie_in_the_future() {
    let lab = lab();
    let host = lab.host();
    let engine = host.engine.clone();
    let at = lab.world.now().after(Duration::from_secs(100));
    lab.outside(async move {
        let options = StartOptions {
            at: Some(at),
            ..StartOptions::default()
        };
        engine
            .start(&key("a"), "step", Payload::json("1"), options)
            .await
    })
    .unwrap();
    lab.pass(Duration::from_secs(50));
    // A message that comes too early waits, too.
    let engine = host.engine.clone();
    let event = async move {
        engine
            .raise_event(&key("a"), "early", Payload::default(), None)
            .await
    };
    lab.outside(event).unwrap();
    lab.pass(Duration::from_secs(49));
    assert_eq!(lab.row("a").state.status, Status::Pending);
    assert!(lab.code.attempts_of("step").is_empty());
    lab.pass(Duration::from_secs(2));
    assert_eq!(lab.code.attempts_of("step"), [1]);
}

#[test]
fn an_instance_of_an_app_that_is_not_here_waits_for_its_host() {
    let lab = lab();
    let host = lab.host();
    let elsewhere = InstanceKey::new(Namespace::default(), "other".parse().unwrap(), "a");
    let (engine, target) = (host.engine.clone(), elsewhere.clone());
    lab.outside(async move {
        engine
            .start(&target, "step", Payload::json("1"), StartOptions::default())
            .await
    })
    .unwrap();
    lab.pass(Duration::from_secs(60));
    assert!(lab.code.attempts_of("step").is_empty());
    let _other = lab.host_with(&["other"]);
    lab.pass(Duration::from_secs(60));
    assert_eq!(lab.code.attempts_of("step"), [1]);
}

#[test]
fn a_host_that_shuts_down_hands_over_at_once() {
    let lab = lab();
    let (host, other) = (lab.host(), lab.host());
    lab.start(&host, "a", "step", "1");
    lab.pass(Duration::from_secs(1));
    let engine = host.engine.clone();
    lab.outside(async move { engine.shut_down().await });
    let row = lab.row("a");
    assert_eq!(row.owner, None);
    lab.kill(host);
    lab.pass(Duration::from_secs(2));
    assert_eq!(lab.code.attempts_of("step"), [1, 1]);
    assert_eq!(lab.outcome(&other, "a").0, Status::Completed);
}

#[test]
fn bad_input_is_refused_with_what_was_expected() {
    let lab = lab();
    let host = lab.host();
    for (id, workflow, size, expected) in [
        (
            "",
            "step",
            1,
            "instance ID \"\": expected 1 to 255 bytes without `|` and control characters",
        ),
        ("a|b", "step", 1, "instance ID \"a|b\": expected"),
        ("a\n", "step", 1, "instance ID \"a\\n\": expected"),
        ("a", "", 1, "workflow name \"\": expected 1 to 255 bytes"),
        (
            "a",
            "step",
            (4 << 20) + 1,
            "the input has 4194305 bytes, the limit is 4194304",
        ),
    ] {
        let engine = host.engine.clone();
        let refused = lab.outside(async move {
            let input = Payload::bytes(vec![0; size]);
            engine
                .start(&key(id), workflow, input, StartOptions::default())
                .await
        });
        let text = refused.unwrap_err().to_string();
        assert!(text.starts_with(expected), "{text}");
    }
    assert_eq!(lab.disk.counts(), Default::default());
}
