//! Things that happen at the same time, in either order.

use crate::lab::{Lab, LabHost, attempts, call, ended, key};
use crate::world::at_once;
use berth_blocks::workflow::Status;
use berth_workflow::{
    ActivityOptions, ChildOptions, Conflict, Dispatch, EventKind, Payload, Reuse, StartOptions,
    WaitError, WorkflowEnd,
};
use futures::future::join_all;
use std::{collections::BTreeSet, time::Duration};

/// Orders that are tried.
const SEEDS: u64 = 40;

/// Whichever comes first in history decides, and decides again in every replay.
#[test]
fn an_event_and_the_end_of_its_wait_may_come_in_the_same_moment() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let lab = Lab::seeded(seed);
        lab.code.workflow("waits", |context, _| async move {
            let event = context.schedule_event("go", Some(Duration::from_secs(10)));
            let Ok(event) = event else {
                return std::future::pending().await;
            };
            let what = match context.wait(event).await {
                Ok(_) => "event",
                Err(WaitError::TimedOut(_)) => "timeout",
                Err(_) => "other",
            };
            context.set_custom_status(what).unwrap();
            match context.schedule_event("end", None) {
                Ok(end) => drop(context.wait(end).await),
                Err(_) => std::future::pending().await,
            }
            WorkflowEnd::Completed(Payload::json(what))
        });
        let host = lab.host();
        lab.start(&host, "a", "waits", "1");
        let (world, engine) = (lab.world.clone(), host.engine.clone());
        let at = lab.row("a").created_at.after(Duration::from_secs(10));
        lab.outside(async move {
            world.sleep_until(at).await;
            engine
                .raise_event(&key("a"), "go", Payload::default(), None)
                .await
        })
        .unwrap();
        let row = lab.until("a", |row| row.state.custom_status.is_some());
        let what = row.state.custom_status.unwrap();
        lab.kill(host);
        let host = lab.host();
        let engine = host.engine.clone();
        lab.outside(async move {
            engine
                .raise_event(&key("a"), "end", Payload::default(), None)
                .await
        })
        .unwrap();
        assert_eq!(lab.outcome(&host, "a").1, what, "seed {seed}");
        seen.insert(what);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["event", "timeout"],
        "both orders"
    );
}

/// Whatever comes of it: what is there has ended, and what is gone has left nothing.
#[test]
fn a_start_a_purge_a_termination_and_an_end_may_come_together() {
    for seed in 0..SEEDS {
        let lab = Lab::seeded(seed);
        lab.code.workflow("quick", |context, _| async move {
            ended(call(&context, "step", attempts(1)).await)
        });
        let hosts = [lab.host(), lab.host()];
        lab.start(&hosts[0], "a", "quick", "1");
        let start = |host: &LabHost| {
            let engine = host.engine.clone();
            async move {
                let options = StartOptions {
                    reuse: Reuse::Ended,
                    conflict: Conflict::UseExisting,
                    ..StartOptions::default()
                };
                engine
                    .start(&key("a"), "quick", Payload::json("1"), options)
                    .await
                    .map(drop)
            }
        };
        let (purger, ender) = (hosts[1].engine.clone(), hosts[0].engine.clone());
        let purge = async move { purger.purge(&key("a"), false, true).await.map(drop) };
        let end = async move { ender.terminate(&key("a"), "", true).await };
        let starts = [start(&hosts[0]), start(&hosts[1])];
        let together = async move { futures::join!(join_all(starts), purge, end).0 };
        let started = lab.outside(together);
        assert!(started.iter().all(Result::is_ok), "{started:?}");
        lab.pass(Duration::from_secs(60));
        match at_once(lab.disk.get(&key("a"))).unwrap() {
            Some(row) => assert!(row.state.status.is_terminal(), "seed {seed}: {row:?}"),
            None => assert_eq!(lab.disk.counts(), Default::default(), "seed {seed}"),
        }
    }
}

/// A termination that reaches the children half way, and goes on.
#[test]
fn a_crash_in_the_middle_of_a_termination_leaves_no_child_behind() {
    for place in [
        "before commit",
        "after commit",
        "claimed",
        "loaded",
        "before release",
    ] {
        for count in 1..=4 {
            let lab = Lab::new();
            lab.code.workflow("tree", |context, run| async move {
                let depth: u32 = std::str::from_utf8(&run.input.data)
                    .unwrap()
                    .parse()
                    .unwrap();
                for _ in 0..depth.min(2) {
                    let input = Payload::json((depth - 1).to_string());
                    let child = context.schedule_child("tree", input, ChildOptions::default());
                    drop(child);
                }
                match context.schedule_event("never", None) {
                    Ok(event) => ended(context.wait(event).await),
                    Err(_) => std::future::pending().await,
                }
            });
            let host = lab.host();
            lab.start(&host, "root", "tree", "2");
            lab.pass(Duration::from_secs(60));
            let all = lab.disk.counts().instances;
            let engine = host.engine.clone();
            lab.outside(async move { engine.terminate(&key("root"), "", true).await })
                .unwrap();
            lab.world.crash_at(place, count);
            lab.pass(Duration::from_secs(30));
            lab.kill(host);
            let host = lab.host();
            lab.pass(Duration::from_secs(60));
            let rows = lab.disk.rows();
            assert!(
                rows.len() == all
                    && rows
                        .iter()
                        .all(|row| row.state.status == Status::Terminated),
                "{place} {count}: {rows:?}"
            );
            let engine = host.engine.clone();
            lab.outside(async move { engine.purge(&key("root"), false, true).await })
                .unwrap();
            assert_eq!(lab.disk.counts(), Default::default());
        }
    }
}

/// A host that was stopped while it ran a queued activity finds that somebody else has done it.
#[test]
fn a_result_that_comes_after_another_one_is_dropped() {
    let lab = Lab::new();
    lab.code.workflow("one", |context, _| async move {
        let options = ActivityOptions {
            dispatch: Dispatch::Queued,
            ..attempts(1)
        };
        let first = call(&context, "step", options).await;
        match context.schedule_timer(Duration::from_secs(60)) {
            Ok(timer) => drop(context.wait(timer).await),
            Err(_) => std::future::pending().await,
        }
        ended(first)
    });
    let world = lab.world.clone();
    lab.code.activity("step", move |_| {
        let world = world.clone();
        let number = world.now().0;
        async move {
            world.sleep(1_000).await;
            Ok(Payload::json(number.to_string()))
        }
    });
    let (first, second) = (lab.host(), lab.host());
    lab.start(&first, "a", "one", "1");
    while lab.code.attempts_of("step").is_empty() {
        lab.pass(Duration::from_millis(1));
    }
    // Whoever has the task: both are stopped, one for longer than the task's lease.
    lab.world.pause(first.life, 30_000);
    lab.pass(Duration::from_secs(20));
    let attempts = lab.code.attempts_of("step").len();
    lab.pass(Duration::from_secs(20));
    assert_eq!(lab.outcome(&second, "a").0, Status::Completed);
    let results = lab.history("a");
    let results = results
        .iter()
        .filter(|event| matches!(event.kind, EventKind::ActivityCompleted { .. }));
    assert_eq!(results.count(), 1);
    assert!((1..=2).contains(&attempts), "{attempts}");
}
