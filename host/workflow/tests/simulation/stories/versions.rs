//! Code that is changed while instances run.

use crate::lab::{Lab, attempts, call, ended, key};
use berth_blocks::workflow::Status;
use berth_resources::Namespace;
use berth_workflow::{ChildOptions, Context, Payload, Replay, WorkflowEnd};
use std::time::Duration;

/// A workflow of these activities, each a minute.
fn steps(lab: &Lab, names: &'static [&'static str]) {
    lab.code
        .workflow("steps", move |context: Context, _| async move {
            let mut last = Ok(Payload::default());
            for name in names {
                last = call(&context, name, attempts(3)).await;
            }
            ended(last)
        });
    for name in names {
        let world = lab.world.clone();
        lab.code.activity(name, move |task| {
            let world = world.clone();
            async move {
                world.sleep(60_000).await;
                Ok(Payload::json(format!("\"{}\"", task.name)))
            }
        });
    }
}

#[test]
fn changed_code_stalls_an_instance_until_it_fits_again() {
    let lab = Lab::new();
    steps(&lab, &["reserve", "pay", "ship"]);
    let host = lab.host();
    lab.start(&host, "a", "steps", "1");
    lab.pass(Duration::from_secs(90));
    lab.kill(host);
    let before = lab.history("a");
    let trial = |lab: &Lab, host: &crate::lab::LabHost| {
        let engine = host.engine.clone();
        lab.outside(async move { engine.trial(&key("a"), None).await })
            .unwrap()
    };
    let host = lab.host();
    assert_eq!(trial(&lab, &host), Replay::Waits);
    lab.kill(host);
    steps(&lab, &["reserve", "charge", "ship"]);
    let host = lab.host();
    let differs = trial(&lab, &host);
    assert!(
        matches!(&differs, Replay::Differs(why) if why.contains("\"charge\"")),
        "{differs:?}"
    );
    let row = lab.until("a", |row| row.state.status == Status::Stalled);
    let expected =
        "at event 3: the history has activity \"pay\", the workflow asked for activity \"charge\"";
    assert_eq!(row.state.problem.as_deref(), Some(expected));
    lab.pass(Duration::from_secs(600));
    assert_eq!(
        lab.history("a"),
        before,
        "a stalled instance writes nothing"
    );
    // An event that comes meanwhile is kept, and the old code takes it all up.
    steps(&lab, &["reserve", "pay", "ship"]);
    let engine = host.engine.clone();
    let app = "app".parse().unwrap();
    let woken = lab.outside(async move { engine.code_changed(&Namespace::default(), &app).await });
    assert_eq!(woken, Ok(1));
    assert_eq!(
        lab.outcome(&host, "a"),
        (Status::Completed, "\"ship\"".to_owned())
    );
    assert_eq!(lab.code.attempts_of("reserve"), [1]);
}

/// Every kind of careless change stops at the event where it shows, and writes nothing; with the code of before the
/// instance goes on as if nothing had been.
#[test]
fn every_change_that_does_not_fit_is_found_at_its_event() {
    type Steps = &'static [(&'static str, &'static str)];
    const BEFORE: Steps = &[("reserve", "1"), ("pay", "1"), ("ship", "1")];
    let changes: [(Steps, &str); 6] = [
        // Two change places.
        (
            &[("pay", "1"), ("reserve", "1"), ("ship", "1")],
            "at event 1: the history has activity \"reserve\", the workflow asked for activity \"pay\"",
        ),
        // One is added,
        (
            &[("check", "1"), ("reserve", "1"), ("pay", "1")],
            "at event 1: the history has activity \"reserve\", the workflow asked for activity \"check\"",
        ),
        // left out,
        (
            &[("reserve", "1"), ("ship", "1")],
            "at event 3: the history has activity \"pay\", the workflow asked for activity \"ship\"",
        ),
        // left out at the end,
        (
            &[("reserve", "1")],
            "at event 3: the history has activity \"pay\", the workflow asked for its end",
        ),
        // has another name,
        (
            &[("reserve", "1"), ("Pay", "1"), ("ship", "1")],
            "at event 3: the history has activity \"pay\", the workflow asked for activity \"Pay\"",
        ),
        // or another input.
        (
            &[("reserve", "1"), ("pay", "2"), ("ship", "1")],
            "at event 3: the history has activity \"pay\", the workflow asked for activity \"pay\" with another input or \
             other options",
        ),
    ];
    let define = |lab: &Lab, steps: Steps| {
        lab.code
            .workflow("steps", move |context: Context, _| async move {
                let mut last = Ok(Payload::default());
                for (name, input) in steps {
                    let options = attempts(3);
                    match context.schedule_activity(name, Payload::json(*input), options) {
                        Ok(handle) => last = context.wait(handle).await,
                        // A guest would trap.
                        Err(_) => return std::future::pending().await,
                    }
                }
                ended(last)
            });
    };
    for (changed, expected) in changes {
        let lab = Lab::new();
        steps(&lab, &["reserve", "pay", "ship"]);
        define(&lab, BEFORE);
        let host = lab.host();
        lab.start(&host, "a", "steps", "1");
        lab.pass(Duration::from_secs(90));
        lab.kill(host);
        let before = lab.history("a");
        define(&lab, changed);
        let host = lab.host();
        let row = lab.until("a", |row| row.state.status == Status::Stalled);
        assert_eq!(row.state.problem.as_deref(), Some(expected));
        lab.pass(Duration::from_secs(600));
        assert_eq!(lab.history("a"), before, "{expected}");
        define(&lab, BEFORE);
        let engine = host.engine.clone();
        let app = "app".parse().unwrap();
        lab.outside(async move { engine.code_changed(&Namespace::default(), &app).await })
            .unwrap();
        assert_eq!(lab.outcome(&host, "a").0, Status::Completed);
        assert_eq!(lab.code.attempts_of("reserve"), [1]);
    }
}

#[test]
fn a_stalled_instance_can_be_terminated() {
    let lab = Lab::new();
    lab.code.workflow("traps", |_, _| async {
        WorkflowEnd::Stalled("imports wasi:sockets".to_owned())
    });
    let host = lab.host();
    lab.start(&host, "a", "traps", "1");
    let row = lab.until("a", |row| row.state.status == Status::Stalled);
    assert_eq!(row.state.problem.as_deref(), Some("imports wasi:sockets"));
    let engine = host.engine.clone();
    lab.outside(async move { engine.terminate(&key("a"), "hopeless", true).await })
        .unwrap();
    assert_eq!(
        lab.outcome(&host, "a"),
        (Status::Terminated, "berth.terminated: hopeless".to_owned())
    );
}

#[test]
fn a_patch_lets_old_and_new_instances_live_with_one_code() {
    let lab = Lab::new();
    steps(&lab, &["reserve", "pay"]);
    let host = lab.host();
    lab.start(&host, "old", "steps", "1");
    lab.pass(Duration::from_secs(90));
    lab.kill(host);
    lab.code.workflow("steps", |context, _| async move {
        call(&context, "reserve", attempts(3)).await.ok();
        match context.patched("charge instead of pay") {
            Ok(true) => ended(call(&context, "charge", attempts(3)).await),
            Ok(false) => ended(call(&context, "pay", attempts(3)).await),
            Err(_) => std::future::pending().await,
        }
    });
    let host = lab.host();
    lab.start(&host, "new", "steps", "1");
    assert_eq!(lab.outcome(&host, "old").1, "\"pay\"");
    assert_eq!(lab.outcome(&host, "new").0, Status::Completed);
    assert_eq!(lab.code.attempts_of("charge"), [1]);
}

#[test]
fn continuing_as_new_keeps_the_history_short_and_events_that_wait() {
    let lab = Lab::new();
    lab.code.workflow("counter", |context, run| async move {
        let count: u64 = std::str::from_utf8(&run.input.data)
            .unwrap()
            .parse()
            .unwrap();
        let event = context.schedule_event("tick", None);
        match event {
            Ok(event) => drop(context.wait(event).await),
            Err(_) => std::future::pending().await,
        }
        if count == 99 {
            return WorkflowEnd::Completed(Payload::json("100"));
        }
        context
            .continue_as_new(Payload::json((count + 1).to_string()), true)
            .unwrap();
        WorkflowEnd::Completed(Payload::default())
    });
    let host = lab.host();
    lab.start(&host, "a", "counter", "0");
    let engine = host.engine.clone();
    lab.outside(async move {
        for _ in 0..100 {
            engine
                .raise_event(&key("a"), "tick", Payload::default(), None)
                .await
                .unwrap();
        }
    });
    assert_eq!(lab.outcome(&host, "a").1, "100");
    assert!(lab.history("a").len() < 10, "{:?}", lab.history("a"));
}

#[test]
fn a_child_runs_in_another_app() {
    let lab = Lab::new();
    lab.code.workflow("child", |context, _| async move {
        WorkflowEnd::Completed(Payload::json(context.key().app.to_string()))
    });
    lab.code.workflow("parent", |context, _| async move {
        let options = ChildOptions {
            app: Some("other".to_owned()),
            ..ChildOptions::default()
        };
        match context.schedule_child("child", Payload::default(), options) {
            Ok(child) => ended(context.wait(child).await),
            Err(_) => std::future::pending().await,
        }
    });
    let host = lab.host();
    let _other = lab.host_with(&["other"]);
    lab.start(&host, "a", "parent", "1");
    assert_eq!(lab.outcome(&host, "a").1, "other");
}
