//! The engine on the real clock and real stores, in processes that are killed again and again.
//!
//! The test starts itself as the host: every activity writes a line to a ledger before it answers, and the test kills
//! a host whenever the ledger has grown by some lines. At the end each step of each workflow stands in the ledger, in
//! order, and none more often than the kills explain.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod kill_points;
mod shared;

use berth_blocks::{
    registry::{Connections, Metadata, OpenContext},
    workflow::{InstanceKey, WorkflowStore},
};
use berth_resources::{AppId, Namespace};
use berth_servers::extent;
use berth_workflow::{
    ActivityOptions, ActivityTask, Config, Conflict, Context, Engine, Executor, Failure, Payload,
    RetryPolicy, StartOptions, Tokio, WorkflowEnd, WorkflowRun,
};
use futures::future::{BoxFuture, join_all};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// Where the host of a test keeps its data; set in the process that is the host.
const HOST: &str = "BERTH_WORKFLOW_TEST_HOST";
/// The store of such a host: a type, then metadata as `name=value`, with blanks between; by default the embedded one.
const STORE: &str = "BERTH_WORKFLOW_TEST_STORE";
const WORKFLOWS: u64 = 12;
const STEPS: u64 = 25;
const KILLS: usize = 8;
/// How long a soak goes on with fresh workflows.
const SOAK: Duration = Duration::from_secs(600);

/// How long the test waits for the ledger to grow.
const PATIENCE: Duration = Duration::from_secs(60);

struct Ledger(Arc<File>);

impl Executor for Ledger {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        vec![(Namespace::default(), "app".parse().unwrap())]
    }

    fn run_workflow(&self, context: Context, _: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        Box::pin(async move {
            for step in 0..STEPS {
                let input = Payload::json(step.to_string());
                let handle = context.schedule_activity("note", input, noted());
                let Ok(handle) = handle else {
                    return WorkflowEnd::Completed(Payload::default());
                };
                if let Err(error) = context.wait(handle).await {
                    return WorkflowEnd::Failed(Failure::new("note", error.to_string()));
                }
            }
            WorkflowEnd::Completed(Payload::json("true"))
        })
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        let file = self.0.clone();
        Box::pin(async move {
            let step = String::from_utf8_lossy(&task.input.data).into_owned();
            // One write in append mode: lines of several activities do not mix.
            let line = format!("{} {step}\n", task.key.id);
            (&*file).write_all(line.as_bytes()).unwrap();
            Ok(task.input)
        })
    }
}

/// From the second crash on an attempt counts, in case that it is what ends the host: there are enough for all kills.
fn noted() -> ActivityOptions {
    ActivityOptions {
        retry: RetryPolicy {
            max_attempts: u32::try_from(KILLS).unwrap() + 1,
            first_interval: Duration::from_millis(100),
            backoff: 1.0,
            ..RetryPolicy::default()
        },
        ..ActivityOptions::default()
    }
}

fn key(number: u64) -> InstanceKey {
    InstanceKey::new(
        Namespace::default(),
        "app".parse().unwrap(),
        &format!("{number}"),
    )
}

/// The store that the environment names.
async fn store(folder: &Path) -> Arc<dyn WorkflowStore> {
    let text = std::env::var(STORE).unwrap_or_else(|_| "state.sqlite".to_owned());
    let mut words = text.split(' ');
    let registry = berth_drivers::registry();
    let driver = registry.driver(words.next().unwrap()).unwrap();
    let context = OpenContext {
        name: "statestore".to_owned(),
        namespace: Namespace::default(),
        data_dir: folder.to_owned(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let entries = words.filter_map(|word| word.split_once('='));
    let entries = entries.map(|(name, value)| (name.to_owned(), value.into()));
    let metadata = Metadata::from_iter(entries);
    let opened = (driver.open)(context, metadata).await.unwrap();
    opened.workflows.unwrap()
}

fn config(store: &dyn WorkflowStore) -> Config {
    match store.is_shared() {
        false => Config::default(),
        // Nobody else knows that a host has ended before its lease has.
        true => Config {
            lease: Duration::from_secs(3),
            poll_interval: Duration::from_millis(200),
            inbox_interval: Some(Duration::from_millis(200)),
            ..Config::default()
        },
    }
}

/// The host: starts all workflows, or finds them, and waits for their end.
async fn host(folder: &Path) {
    let store = store(folder).await;
    let ledger = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("ledger"))
        .unwrap();
    let executor = Arc::new(Ledger(Arc::new(ledger)));
    let config = config(&*store);
    let engine = Engine::open(store, executor, Arc::new(Tokio), config)
        .await
        .unwrap();
    let runs = (0..WORKFLOWS).map(|number| {
        let engine = &engine;
        async move {
            let options = StartOptions {
                conflict: Conflict::UseExisting,
                reuse: berth_workflow::Reuse::Never,
                ..StartOptions::default()
            };
            engine
                .start(&key(number), "steps", Payload::default(), options)
                .await
                .unwrap();
            engine.wait(&key(number), None).await.unwrap()
        }
    });
    for view in join_all(runs).await {
        assert!(matches!(view.outcome, Some(Ok(_))), "{view:?}");
    }
    engine.shut_down().await;
}

/// The process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a role in the test below"]
async fn the_host_of_the_test() {
    if let Some(folder) = std::env::var_os(HOST) {
        host(&PathBuf::from(folder)).await;
    }
}

/// This program in a role: the name of an ignored test.
fn command(role: &str, folder: &Path, store: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", role, "--ignored", "--nocapture"])
        .env(HOST, folder)
        .env(STORE, store);
    command
}

fn spawn(folder: &Path, store: &str) -> Child {
    let mut command = command("the_host_of_the_test", folder, store);
    command.stdout(Stdio::null()).spawn().unwrap()
}

fn lines(folder: &Path) -> Vec<(u64, u64)> {
    let text = std::fs::read_to_string(folder.join("ledger")).unwrap_or_default();
    let parse = |line: &str| {
        let (instance, step) = line.split_once(' ')?;
        Some((instance.parse().ok()?, step.parse().ok()?))
    };
    text.lines().filter_map(parse).collect()
}

/// Waits until the ledger has so many lines, or the host has ended.
fn until_grown(folder: &Path, count: usize, child: &mut Child) {
    let deadline = Instant::now() + PATIENCE;
    while lines(folder).len() < count && child.try_wait().unwrap().is_none() {
        assert!(
            Instant::now() < deadline,
            "the ledger has not grown to {count} lines"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_host_that_is_killed_again_and_again_loses_nothing() {
    kill_again_and_again(|_| "state.sqlite".to_owned());
}

/// Once, or for a long time: each round begins with nothing.
fn kill_again_and_again(store: impl Fn(usize) -> String) {
    let end = Instant::now() + extent(Duration::ZERO, SOAK);
    for round in 0.. {
        kill_in_a_round(&store(round));
        if Instant::now() >= end {
            return;
        }
    }
}

fn kill_in_a_round(store: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut kills = 0;
    for round in 0..KILLS {
        let mut child = spawn(folder.path(), store);
        until_grown(folder.path(), (round + 1) * 20, &mut child);
        if child.try_wait().unwrap().is_none() {
            // On unix this is SIGKILL: the process gets no chance to do anything more.
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > KILLS / 2, "{kills}");
    assert!(spawn(folder.path(), store).wait().unwrap().success());
    let mut counts: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for (instance, step) in lines(folder.path()) {
        *counts.entry((instance, step)).or_default() += 1;
        let before = last.insert(instance, step);
        let next = before.map_or(0, |before| before + 1);
        // The same again after a kill, or the next.
        assert!(
            step == next || Some(step) == before,
            "{instance}: {step} after {before:?}"
        );
    }
    for instance in 0..WORKFLOWS {
        for step in 0..STEPS {
            let count = counts.get(&(instance, step)).copied().unwrap_or(0);
            assert!(
                (1..=1 + kills).contains(&count),
                "{instance} {step}: {count} times"
            );
        }
    }
    let repeated: usize = counts.values().map(|count| count - 1).sum();
    // One activity per workflow runs at a time, so a kill repeats at most one of each.
    assert!(repeated <= kills * WORKFLOWS as usize, "{repeated}");
}
