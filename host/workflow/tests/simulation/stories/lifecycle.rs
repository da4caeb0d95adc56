//! Suspension, termination, retention, rerun.

use crate::lab::{Lab, attempts, call, ended, key};
use berth_blocks::workflow::{InstanceQuery, Status};
use berth_resources::Namespace;
use berth_workflow::{
    ChildOptions, Config, Failure, Payload, RerunOptions, Retention, WorkflowEnd, WorkflowError,
};
use std::{sync::Arc, time::Duration};

/// A lab with workflow `two`, which calls `first` and `second`, each of which takes a second.
fn two() -> Lab {
    let lab = Lab::new();
    lab.code.workflow("two", |context, _| async move {
        call(&context, "first", attempts(3)).await.unwrap();
        ended(call(&context, "second", attempts(3)).await)
    });
    for name in ["first", "second"] {
        let world = lab.world.clone();
        lab.code.activity(name, move |task| {
            let world = world.clone();
            async move {
                world.sleep(1_000).await;
                Ok(task.input)
            }
        });
    }
    lab
}

#[test]
fn nothing_happens_in_a_suspended_instance_and_no_result_is_lost() {
    let lab = two();
    let host = lab.host();
    lab.start(&host, "a", "two", "1");
    lab.pass(Duration::from_millis(500));
    let engine = host.engine.clone();
    lab.outside(async move { engine.suspend(&key("a"), "look").await })
        .unwrap();
    lab.pass(Duration::from_secs(30));
    assert_eq!(lab.row("a").state.status, Status::Suspended);
    assert_eq!(lab.row("a").owner, None, "it waits without a place");
    lab.kill(host);
    let host = lab.host();
    lab.pass(Duration::from_secs(30));
    assert_eq!(lab.code.names(), ["first"]);
    let engine = host.engine.clone();
    lab.outside(async move { engine.resume(&key("a"), "seen").await })
        .unwrap();
    assert_eq!(lab.outcome(&host, "a").0, Status::Completed);
    assert_eq!(lab.code.names(), ["first", "second"]);
}

#[test]
fn a_suspended_instance_can_be_terminated_and_purged() {
    let lab = two();
    let host = lab.host();
    lab.start(&host, "a", "two", "1");
    let engine = host.engine.clone();
    let purged = lab.outside(async move {
        engine.suspend(&key("a"), "").await.unwrap();
        let running = engine.purge(&key("a"), false, true).await;
        assert!(
            matches!(running, Err(WorkflowError::NotAllowed(_))),
            "{running:?}"
        );
        engine.terminate(&key("a"), "enough", true).await.unwrap();
        let view = engine.wait(&key("a"), None).await.unwrap();
        assert_eq!(
            view.outcome,
            Some(Err(Failure::new(Failure::TERMINATED, "enough")))
        );
        // Twice is once, and an event comes too late.
        engine.terminate(&key("a"), "again", true).await.unwrap();
        engine
            .raise_event(&key("a"), "late", Payload::default(), None)
            .await
            .unwrap();
        assert!(matches!(
            engine.suspend(&key("a"), "").await,
            Err(WorkflowError::NotAllowed(_))
        ));
        engine.purge(&key("a"), false, true).await
    });
    assert_eq!(purged, Ok(true));
    assert_eq!(lab.disk.counts(), Default::default());
}

#[test]
fn an_unknown_instance_is_named_in_every_error() {
    let lab = Lab::new();
    let host = lab.host();
    let engine = host.engine.clone();
    let errors = lab.outside(async move {
        let key = key("nobody");
        let missing = [
            engine
                .raise_event(&key, "e", Payload::default(), None)
                .await,
            engine.suspend(&key, "").await,
            engine.terminate(&key, "", true).await,
            engine.wait(&key, None).await.map(drop),
            engine
                .rerun(&key, 0, "b", RerunOptions::default())
                .await
                .map(drop),
        ];
        assert_eq!(engine.purge(&key, false, true).await, Ok(false));
        missing
    });
    for error in errors {
        let text = "there is no workflow \"nobody\" of app \"app\"".to_owned();
        assert_eq!(error, Err(WorkflowError::NotFound(text)));
    }
}

#[test]
fn children_end_with_a_parent_that_is_terminated() {
    let lab = Lab::new();
    lab.code.workflow("tree", |context, run| async move {
        let depth: u32 = std::str::from_utf8(&run.input.data)
            .unwrap()
            .parse()
            .unwrap();
        let event = context.schedule_event("never", None);
        for _ in 0..depth.min(2) {
            let input = Payload::json((depth - 1).to_string());
            context
                .schedule_child("tree", input, ChildOptions::default())
                .ok();
        }
        match event {
            Ok(event) => ended(context.wait(event).await),
            Err(_) => std::future::pending().await,
        }
    });
    let host = lab.host();
    lab.start(&host, "root", "tree", "2");
    lab.pass(Duration::from_secs(60));
    assert_eq!(lab.disk.counts().instances, 5);
    let engine = host.engine.clone();
    lab.outside(async move { engine.terminate(&key("root"), "", true).await })
        .unwrap();
    lab.pass(Duration::from_secs(60));
    assert!(
        lab.disk
            .rows()
            .iter()
            .all(|row| row.state.status == Status::Terminated)
    );
    let engine = host.engine.clone();
    lab.outside(async move { engine.purge(&key("root"), false, true).await })
        .unwrap();
    assert_eq!(lab.disk.counts(), Default::default());
}

#[test]
fn a_child_that_fails_fails_for_its_parent() {
    let lab = Lab::new();
    lab.code.workflow("child", |_, _| async {
        WorkflowEnd::Failed(Failure::new("sad", "no luck"))
    });
    lab.code.workflow("parent", |context, run| async move {
        let options = ChildOptions {
            id: std::str::from_utf8(&run.input.data).ok().map(str::to_owned),
            ..ChildOptions::default()
        };
        match context.schedule_child("child", Payload::default(), options) {
            Ok(child) => ended(context.wait(child).await),
            Err(error) => WorkflowEnd::Failed(Failure::new("context", error.to_string())),
        }
    });
    let host = lab.host();
    lab.start(&host, "a", "parent", "child-1");
    assert_eq!(
        lab.outcome(&host, "a"),
        (Status::Failed, "sad: no luck".to_owned())
    );
    lab.start(&host, "b", "parent", "a");
    let taken = "berth.exists: there is already a workflow \"a\" of app \"app\"".to_owned();
    assert_eq!(lab.outcome(&host, "b"), (Status::Failed, taken));
    lab.start(&host, "c", "parent", "a|b");
    assert!(
        lab.outcome(&host, "c")
            .1
            .starts_with("context: instance ID \"a|b\"")
    );
}

#[test]
fn instances_are_kept_as_long_as_their_end_says() {
    let lab = Lab {
        config: Config {
            retention: Retention {
                completed: Some(Duration::from_secs(60)),
                failed: None,
                terminated: Some(Duration::from_secs(600)),
            },
            ..Lab::new().config
        },
        ..two()
    };
    lab.code.workflow("fails", |_, _| async {
        WorkflowEnd::Failed(Failure::new("x", "y"))
    });
    let host = lab.host();
    lab.start(&host, "completes", "two", "1");
    lab.start(&host, "fails", "fails", "1");
    lab.end(&host, "completes");
    lab.end(&host, "fails");
    lab.pass(Duration::from_secs(50));
    assert_eq!(lab.disk.counts().instances, 2);
    lab.pass(Duration::from_secs(20));
    let ids: Vec<_> = lab.disk.rows().into_iter().map(|row| row.key.id).collect();
    assert_eq!(ids, [Arc::<str>::from("fails")]);
}

#[test]
fn an_instance_can_be_run_again_from_an_event_with_another_input() {
    let lab = Lab::new();
    lab.code.workflow("two", |context, _| async move {
        let first = call(&context, "first", attempts(1)).await.unwrap();
        let id = context.uuid();
        let second = match context.schedule_activity(
            "second",
            Payload::json(format!("\"{id}\"")),
            attempts(1),
        ) {
            Ok(handle) => context.wait(handle).await.unwrap(),
            Err(_) => std::future::pending().await,
        };
        let both = [first.data, second.data].map(|data| String::from_utf8(data.to_vec()).unwrap());
        WorkflowEnd::Completed(Payload::json(both.join(" ")))
    });
    let host = lab.host();
    lab.start(&host, "a", "two", "1");
    let (_, first_outcome) = lab.outcome(&host, "a");
    let again = |from, id: &'static str, input: Option<&'static str>| {
        let engine = host.engine.clone();
        lab.outside(async move {
            let options = RerunOptions {
                input: input.map(Payload::json),
                ..RerunOptions::default()
            };
            engine.rerun(&key("a"), from, id, options).await
        })
    };
    // Events: start, first, its result, second, its result.
    again(3, "b", None).unwrap();
    assert_eq!(lab.outcome(&host, "b").1, first_outcome);
    assert_eq!(lab.code.names(), ["first", "second", "second"]);
    again(3, "c", Some("\"other\"")).unwrap();
    assert_eq!(lab.outcome(&host, "c").1, "1 \"other\"");
    again(0, "d", None).unwrap();
    assert_eq!(lab.outcome(&host, "d").0, Status::Completed);
    let result = again(2, "e", None).unwrap_err().to_string();
    assert!(
        result.starts_with("event 2 is result of activity at event 1: expected one that"),
        "{result}"
    );
    assert_eq!(lab.history("a").len(), 5, "the first one is as it was");
    let engine = host.engine.clone();
    let page = lab.outside(async move {
        engine
            .list(InstanceQuery::all(Namespace::default(), 10))
            .await
    });
    assert_eq!(page.unwrap().rows.len(), 4);
}

#[test]
fn an_instance_that_runs_again_has_children_and_effects_of_its_own() {
    let lab = Lab::new();
    lab.code.workflow("child", |_, run| async move {
        WorkflowEnd::Completed(run.input)
    });
    lab.code.workflow("parent", |context, _| async move {
        call(&context, "first", attempts(1)).await.unwrap();
        match context.schedule_child("child", Payload::json("1"), ChildOptions::default()) {
            Ok(child) => ended(context.wait(child).await),
            Err(_) => std::future::pending().await,
        }
    });
    let keys = Arc::new(parking_lot::Mutex::new(std::collections::BTreeSet::new()));
    let seen = keys.clone();
    lab.code.activity("first", move |task| {
        seen.lock().insert(task.idempotency_key);
        async { Ok(Payload::default()) }
    });
    let host = lab.host();
    lab.start(&host, "a", "parent", "1");
    lab.end(&host, "a");
    for (from, id) in [(0, "b"), (1, "c"), (3, "d")] {
        let engine = host.engine.clone();
        let again = async move {
            engine
                .rerun(&key("a"), from, id, RerunOptions::default())
                .await
        };
        lab.outside(again).unwrap();
        assert_eq!(lab.outcome(&host, id).0, Status::Completed);
    }
    // The last one has the first result, and so no attempt.
    assert_eq!(keys.lock().len(), 3);
    assert_eq!(lab.disk.counts().instances, 8, "each has a child");
}

#[test]
fn a_child_that_failed_is_started_again_as_the_policy_says() {
    let lab = Lab::new();
    lab.code.workflow("child", |context, _| async move {
        ended(call(&context, "try", attempts(1)).await)
    });
    let tries = Arc::new(std::sync::atomic::AtomicU32::new(0));
    lab.code.activity("try", move |_| {
        let before = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            match before {
                0 | 1 => Err(Failure::new("io", "no route")),
                _ => Ok(Payload::json("3")),
            }
        }
    });
    lab.code.workflow("parent", |context, _| async move {
        let options = ChildOptions {
            id: Some("c".to_owned()),
            retry: Some(attempts(5).retry),
            ..ChildOptions::default()
        };
        match context.schedule_child("child", Payload::default(), options) {
            Ok(child) => ended(context.wait(child).await),
            Err(_) => std::future::pending().await,
        }
    });
    let host = lab.host();
    let begun = lab.world.now();
    lab.start(&host, "a", "parent", "1");
    lab.pass(Duration::from_millis(1_500));
    lab.kill(host);
    let host = lab.host();
    assert_eq!(lab.outcome(&host, "a"), (Status::Completed, "3".to_owned()));
    let ended = lab.row("a").state.finished_at.unwrap();
    assert!(
        begun.until(ended) >= Duration::from_secs(3),
        "one second, then two"
    );
    let ids: Vec<_> = lab
        .disk
        .rows()
        .iter()
        .map(|row| row.key.id.to_string())
        .collect();
    assert_eq!(ids, ["a", "c", "c:2", "c:3"]);
}
