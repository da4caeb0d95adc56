//! Those outside: clients, the courier of events, and chaos.

use crate::{
    checks,
    guest::input,
    program::Program,
    run::{Plan, Root, Story},
    world::OUTSIDE,
};
use berth_blocks::workflow::{InstanceKey, Timestamp};
use berth_workflow::{Conflict, Payload, Reuse, StartOptions};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Kills and stops hosts at random until the faults end.
pub async fn chaos(story: Arc<Story>, until: Timestamp) {
    while story.world.now() < until {
        let pause = story.world.with_rng(|rng| rng.between(50, 15_000));
        story.world.sleep(pause).await;
        let life = story.any_life();
        if story.world.with_rng(|rng| rng.chance(400)) {
            let millis = story.world.with_rng(|rng| rng.between(10, 12_000));
            story.world.pause(life, millis);
        } else {
            story.world.crash(life);
        }
    }
    story.end_faults();
}

/// Starts an instance, and does what its plan says.
pub async fn client(story: Arc<Story>, root: Root, started: Arc<AtomicU64>) {
    let delay = story.world.with_rng(|rng| rng.below(300));
    story.world.sleep(delay).await;
    let begin = input(&root.program, 0, root.program.seed);
    let answer = story
        .insist(|engine| {
            let (key, input) = (root.key.clone(), begin.clone());
            Box::pin(async move {
                let options = StartOptions {
                    // A client that does not know whether its start went through must not run it twice.
                    conflict: Conflict::UseExisting,
                    reuse: Reuse::Never,
                    ..StartOptions::default()
                };
                engine.start(&key, "program", input, options).await
            })
        })
        .await;
    if let Err(error) = answer {
        story
            .ledger
            .lock()
            .violations
            .push(format!("I1: {:?} did not start: {error}", root.key));
    }
    started.fetch_add(1, Ordering::Relaxed);
    let delay = story.world.with_rng(|rng| rng.below(2_000));
    story.world.sleep(delay).await;
    let lifecycle = |what: &'static str| {
        let key = root.key.clone();
        story.insist(move |engine| {
            let key = key.clone();
            Box::pin(async move {
                match what {
                    "suspend" => engine.suspend(&key, "test").await,
                    "resume" => engine.resume(&key, "test").await,
                    "terminate" => engine.terminate(&key, "test", true).await,
                    _ => engine.cancel(&key, "test").await,
                }
            })
        })
    };
    match root.plan {
        Plan::Plain => {}
        Plan::Suspend => {
            drop(lifecycle("suspend").await);
            let delay = story.world.with_rng(|rng| rng.below(8_000));
            story.world.sleep(delay).await;
            drop(lifecycle("resume").await);
        }
        Plan::Terminate => drop(lifecycle("terminate").await),
        Plan::Cancel => drop(lifecycle("cancel").await),
    }
}

/// Raises the events of every instance that there is, in order, each at least once.
pub async fn courier(story: Arc<Story>) {
    let mut known = BTreeSet::new();
    loop {
        for row in story.disk.rows() {
            if known.insert(row.key.clone()) {
                let program = checks::program_of(&story.disk, &row.key);
                story
                    .world
                    .spawn(OUTSIDE, Box::pin(raise(story.clone(), row.key, program)));
            }
        }
        story.world.sleep(40).await;
    }
}

async fn raise(story: Arc<Story>, key: InstanceKey, program: Program) {
    for ((name, value), number) in program.events().into_iter().zip(0..) {
        let delay = story.world.with_rng(|rng| rng.below(1_000));
        story.world.sleep(delay).await;
        let times = story.world.with_rng(|rng| 1 + u64::from(rng.chance(300)));
        for _ in 0..times {
            let (key, name) = (key.clone(), name.clone());
            let raised = story.insist(move |engine| {
                let (key, name) = (key.clone(), name.clone());
                Box::pin(async move {
                    let payload = Payload::json(value.to_string());
                    engine
                        .raise_event(&key, &name, payload, Some(format!("event {number}")))
                        .await
                })
            });
            if raised.await.is_err() {
                return;
            }
        }
    }
}
