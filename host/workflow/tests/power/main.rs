//! The engine on a disk that forgets, when the power fails, what was not synced.
//!
//! While workflows run, the power fails again and again: what is left of the files is opened beside them. What was
//! acknowledged before must be there, a step that had begun must find the result of the one before it, and a host that
//! begins with what is left brings every workflow to its end. With `synchronous: normal` only the last of these is
//! promised; that something is lost then shows that the disk does forget.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod vfs;

use berth_blocks::{
    registry::{Connections, Metadata, OpenContext},
    workflow::{InstanceKey, InstanceQuery, Status, WorkflowStore},
};
use berth_resources::{AppId, Namespace};
use berth_workflow::{
    ActivityOptions, ActivityTask, Config, Context, Engine, Event, EventKind, Executor, Failure,
    Payload, StartOptions, Tokio, WorkflowEnd, WorkflowRun,
};
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::RwLock;
use vfs::Unsynced;

const STEPS: u64 = 12;
/// Workflows that run at the same time.
const PARALLEL: u64 = 16;
const FAILURES: usize = 30;
/// Steps that begin between two failures of the power.
const STEPS_BETWEEN: usize = 60;

/// What the world has seen: it does not forget.
#[derive(Default)]
struct Seen {
    /// Steps that have begun, by instance.
    begun: Mutex<BTreeMap<u64, u64>>,
    started: Mutex<Vec<u64>>,
    ended: Mutex<Vec<u64>>,
    attempts: AtomicU64,
    /// Held by whoever looks at what is left: meanwhile no step goes on, and nothing more is to be looked at.
    gate: RwLock<()>,
}

struct Steps(Arc<Seen>);

/// What a step of an instance gives.
fn value(instance: u64, step: u64) -> u64 {
    instance.wrapping_mul(31).wrapping_add(step * step)
}

impl Executor for Steps {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        vec![(Namespace::default(), "app".parse().unwrap())]
    }

    fn run_workflow(&self, context: Context, _: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        Box::pin(async move {
            let mut sum = 0_u64;
            for step in 0..STEPS {
                let input = Payload::json(step.to_string());
                let handle = context.schedule_activity("step", input, ActivityOptions::default());
                let Ok(handle) = handle else {
                    return std::future::pending().await;
                };
                match context.wait(handle).await {
                    Ok(result) => sum = sum.wrapping_add(number(&result)),
                    Err(error) => {
                        return WorkflowEnd::Failed(Failure::new("step", error.to_string()));
                    }
                }
            }
            WorkflowEnd::Completed(Payload::json(sum.to_string()))
        })
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        let (instance, step) = (task.key.id.parse().unwrap(), number(&task.input));
        let mut begun = self.0.begun.lock();
        let last = begun.entry(instance).or_default();
        *last = step.max(*last);
        drop(begun);
        self.0.attempts.fetch_add(1, Ordering::Relaxed);
        let seen = self.0.clone();
        Box::pin(async move {
            drop(seen.gate.read().await);
            Ok(Payload::json(value(instance, step).to_string()))
        })
    }
}

fn number(payload: &Payload) -> u64 {
    std::str::from_utf8(&payload.data).unwrap().parse().unwrap()
}

fn key(number: u64) -> InstanceKey {
    let app = "app".parse().unwrap();
    InstanceKey::new(Namespace::default(), app, &number.to_string())
}

async fn open(folder: &Path, synchronous: &str) -> Arc<dyn WorkflowStore> {
    let registry = berth_drivers::registry();
    let driver = registry.driver("state.sqlite").unwrap();
    let context = OpenContext {
        name: "statestore".to_owned(),
        namespace: Namespace::default(),
        data_dir: folder.to_owned(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let entries = [("synchronous", synchronous), ("cleanupInterval", "0")];
    let entries = entries.map(|(name, value)| (name.to_owned(), value.into()));
    let opened = (driver.open)(context, Metadata::from_iter(entries)).await;
    opened.unwrap().workflows.unwrap()
}

async fn engine(store: Arc<dyn WorkflowStore>, seen: &Arc<Seen>) -> Arc<Engine> {
    let executor = Arc::new(Steps(seen.clone()));
    let engine = Engine::open(store, executor, Arc::new(Tokio), Config::default());
    Arc::new(engine.await.unwrap())
}

/// Starts workflows and waits for their ends until told to stop.
async fn load(engine: Arc<Engine>, seen: Arc<Seen>, next: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let instance = next.fetch_add(1, Ordering::Relaxed);
        engine
            .start(
                &key(instance),
                "steps",
                Payload::default(),
                StartOptions::default(),
            )
            .await
            .unwrap();
        seen.started.lock().push(instance);
        engine.wait(&key(instance), None).await.unwrap();
        seen.ended.lock().push(instance);
    }
}

/// What was lost although somebody knew of it, in words.
async fn losses(
    store: &dyn WorkflowStore,
    begun: &BTreeMap<u64, u64>,
    started: &[u64],
    ended: &[u64],
) -> Vec<String> {
    let mut lost = Vec::new();
    for instance in started {
        if store.get(&key(*instance)).await.unwrap().is_none() {
            lost.push(format!("{instance} was started and is gone"));
        }
    }
    for instance in ended {
        let row = store.get(&key(*instance)).await.unwrap();
        if row.is_none_or(|row| row.state.status != Status::Completed) {
            lost.push(format!("{instance} had ended and has not"));
        }
    }
    for (instance, step) in begun {
        let events = store.history(&key(*instance), 0, usize::MAX).await;
        let events = events.unwrap_or_default();
        let results = events.iter().filter(|row| {
            let event = Event::decode(&row.body).unwrap();
            matches!(event.kind, EventKind::ActivityCompleted { .. })
        });
        let results = results.count() as u64;
        if results < *step {
            lost.push(format!(
                "{instance} had begun step {step} and has {results} results"
            ));
        }
    }
    lost
}

/// Every history is whole: as many events as its row says, numbered without a gap.
async fn assert_whole(store: &dyn WorkflowStore) {
    let query = InstanceQuery::all(Namespace::default(), 100_000);
    for row in store.list(query).await.unwrap().rows {
        let events = store.history(&row.key, 0, usize::MAX).await.unwrap();
        let numbers: Vec<_> = events.iter().map(|event| event.seq).collect();
        let expected: Vec<_> = (0..row.events).collect();
        assert_eq!(numbers, expected, "{}", row.key);
    }
}

/// A host on what is left brings everything to its end.
async fn assert_goes_on(store: Arc<dyn WorkflowStore>) {
    let query = InstanceQuery::all(Namespace::default(), 100_000);
    let rows = store.list(query).await.unwrap().rows;
    let engine = engine(store, &Arc::default()).await;
    join_all(rows.iter().map(|row| async {
        let view = engine.wait(&row.key, None).await.unwrap();
        let instance = row.key.id.parse().unwrap();
        let expected = (0..STEPS).fold(0_u64, |sum, step| sum.wrapping_add(value(instance, step)));
        let outcome = view.outcome.unwrap().unwrap();
        assert_eq!(number(&outcome), expected, "{}", row.key);
    }))
    .await;
    engine.shut_down().await;
}

/// Lets the power fail again and again while workflows run. Gives what was lost.
fn tell(synchronous: &'static str) -> Vec<String> {
    let seed: u64 =
        std::env::var("BERTH_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    vfs::install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let (seen, stop) = (Arc::<Seen>::default(), Arc::<AtomicBool>::default());
    let host = runtime.block_on(async { engine(open(&path, synchronous).await, &seen).await });
    let next = Arc::<AtomicU64>::default();
    let loads: Vec<_> = (0..PARALLEL)
        .map(|_| load(host.clone(), seen.clone(), next.clone(), stop.clone()))
        .map(|load| runtime.spawn(load))
        .collect();
    let mut lost = Vec::new();
    for failure in 0..FAILURES {
        let until =
            seen.attempts.load(Ordering::Relaxed) + random.random_range(1..STEPS_BETWEEN) as u64;
        while seen.attempts.load(Ordering::Relaxed) < until {
            std::thread::sleep(Duration::from_micros(50));
        }
        // What is known now was known before the power fails.
        let (begun, started) = (seen.begun.lock().clone(), seen.started.lock().clone());
        let ended = seen.ended.lock().clone();
        let unsynced = [Unsynced::Gone, Unsynced::Prefix, Unsynced::Torn][failure % 3];
        let left = tempfile::tempdir().unwrap();
        vfs::power_fails(&path, left.path(), unsynced, |below| {
            random.random_range(0..below)
        });
        runtime.block_on(async {
            let _still = seen.gate.write().await;
            let store = open(left.path(), synchronous).await;
            let lost_now = losses(&*store, &begun, &started, &ended).await;
            lost.extend(
                lost_now
                    .into_iter()
                    .map(|what| format!("{failure} ({unsynced:?}): {what}")),
            );
            assert_whole(&*store).await;
            if failure % 5 == 0 {
                assert_goes_on(store).await;
            }
        });
    }
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(async {
        for load in loads {
            load.await.unwrap();
        }
        host.shut_down().await;
    });
    lost
}

#[test]
fn a_power_failure_takes_nothing_that_somebody_knows_of() {
    assert_eq!(tell("full"), [""; 0]);
}

/// What `normal` promises, and that the test above can fail.
#[test]
fn without_syncs_a_power_failure_takes_the_last_commits_and_no_parts_of_any() {
    let lost = tell("normal");
    assert!(!lost.is_empty(), "the disk forgets nothing");
}
