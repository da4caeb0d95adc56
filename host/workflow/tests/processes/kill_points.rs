//! `kill -9` at every named place of the engine, on the embedded store: the host kills itself there.

use super::{HOST, command, store};
use berth_blocks::workflow::{InstanceKey, InstanceQuery};
use berth_resources::{AppId, Namespace};
use berth_workflow::{
    ActivityOptions, ActivityTask, ChildOptions, Config, Conflict, Context, ContextError, Dispatch,
    Engine, Executor, Failure, Payload, Platform, StartOptions, Task, Tokio, WorkflowEnd,
    WorkflowRun,
};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rustix::process::{Signal, getpid, kill_process};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

/// Where the host is to kill itself: a place, and after how many times that it is reached.
const KILL_AT: &str = "BERTH_WORKFLOW_TEST_KILL_AT";

/// All of them: a test fails when one is never reached.
const PLACES: [&str; 15] = [
    "activity begins",
    "activity ended",
    "after commit",
    "after create",
    "after purge",
    "after send",
    "before commit",
    "before create",
    "before purge",
    "before release",
    "before send",
    "claimed",
    "loaded",
    "queued activity begins",
    "queued activity ended",
];

/// Times that each place is tried.
const TIMES: u64 = 3;

/// What the workflow does, by name of the activity, each once.
const EFFECTS: [&str; 4] = ["inline", "queued", "child", "after"];

/// The real world, until a place is reached.
struct Deadly(Mutex<Option<(String, u64)>>);

impl Platform for Deadly {
    fn now(&self) -> berth_blocks::workflow::Timestamp {
        Tokio.now()
    }

    fn sleep_until(&self, at: berth_blocks::workflow::Timestamp) -> BoxFuture<'static, ()> {
        Tokio.sleep_until(at)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> Task {
        Tokio.spawn(task)
    }

    fn random(&self) -> [u8; 16] {
        Tokio.random()
    }

    fn reach(&self, place: &'static str) -> Option<BoxFuture<'static, ()>> {
        let mut planned = self.0.lock();
        if let Some((at, count)) = planned.as_mut().filter(|(at, _)| at == place) {
            *count -= 1;
            if *count == 0 {
                println!("killed at {at}");
                kill_process(getpid(), Signal::KILL).unwrap();
            }
        }
        None
    }
}

struct Effects(Arc<File>);

impl Executor for Effects {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        vec![(Namespace::default(), "app".parse().unwrap())]
    }

    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        Box::pin(async move {
            let done = match run.name.as_str() {
                "child" => effect(&context, "child", Dispatch::Inline).await,
                _ => parent(&context).await,
            };
            match done {
                Ok(()) => WorkflowEnd::Completed(Payload::json("true")),
                // A guest would trap.
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        let file = self.0.clone();
        Box::pin(async move {
            // One write in append mode: lines of several activities do not mix.
            (&*file)
                .write_all(format!("{}\n", task.name).as_bytes())
                .unwrap();
            Ok(task.input)
        })
    }
}

async fn parent(context: &Context) -> Result<(), ContextError> {
    effect(context, "inline", Dispatch::Inline).await?;
    effect(context, "queued", Dispatch::Queued).await?;
    let timer = context.schedule_timer(Duration::from_millis(1))?;
    drop(context.wait(timer).await);
    let child = context.schedule_child("child", Payload::default(), ChildOptions::default())?;
    drop(context.wait(child).await);
    let event = context.schedule_event("go", None)?;
    drop(context.wait(event).await);
    effect(context, "after", Dispatch::Inline).await
}

async fn effect(context: &Context, name: &str, dispatch: Dispatch) -> Result<(), ContextError> {
    let mut options = ActivityOptions {
        dispatch,
        ..ActivityOptions::default()
    };
    // An attempt that was lost with its host counts.
    options.retry.max_attempts = 10;
    options.retry.first_interval = Duration::from_millis(1);
    let handle = context.schedule_activity(name, Payload::json("1"), options)?;
    drop(context.wait(handle).await);
    Ok(())
}

fn key() -> InstanceKey {
    InstanceKey::new(Namespace::default(), "app".parse().unwrap(), "one")
}

/// Starts the workflow, or finds it, and brings it to its end; then purges it. A host that finds that done does nothing.
async fn host(folder: &Path, kill_at: Option<(String, u64)>) {
    let store = store(folder).await;
    let ledger = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("ledger"))
        .unwrap();
    let config = Config {
        // What waits is given up at once, and so is replayed often.
        idle_after: Duration::ZERO,
        poll_interval: Duration::from_millis(20),
        ..Config::default()
    };
    let executor = Arc::new(Effects(Arc::new(ledger)));
    let platform = Arc::new(Deadly(Mutex::new(kill_at)));
    let engine = Engine::open(store.clone(), executor, platform, config)
        .await
        .unwrap();
    if !folder.join("ended").exists() {
        let options = StartOptions {
            conflict: Conflict::UseExisting,
            reuse: berth_workflow::Reuse::Never,
            ..StartOptions::default()
        };
        engine
            .start(&key(), "parent", Payload::default(), options)
            .await
            .unwrap();
        let id = Some("the only one".to_owned());
        engine
            .raise_event(&key(), "go", Payload::default(), id)
            .await
            .unwrap();
        let view = engine.wait(&key(), None).await.unwrap();
        assert!(matches!(view.outcome, Some(Ok(_))), "{view:?}");
        // A directory entry, which survives a kill.
        File::create(folder.join("ended")).unwrap();
    }
    engine.purge(&key(), false, true).await.unwrap();
    let left = store
        .list(InstanceQuery::all(Namespace::default(), 10))
        .await;
    assert_eq!(left.unwrap().rows, [], "a purge leaves nothing");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a role in the test below"]
async fn the_host_that_kills_itself() {
    let Some(folder) = std::env::var_os(HOST) else {
        return;
    };
    let kill_at = std::env::var(KILL_AT).ok().map(|text| {
        let (place, count) = text.split_once('#').unwrap();
        (place.to_owned(), count.parse().unwrap())
    });
    host(&PathBuf::from(folder), kill_at).await;
}

/// Runs a host; whether it was killed. Anything else than that and success fails the test.
fn run(folder: &Path, kill_at: Option<(&str, u64)>) -> bool {
    let role = "kill_points::the_host_that_kills_itself";
    let mut command = command(role, folder, "state.sqlite");
    if let Some((place, count)) = kill_at {
        command.env(KILL_AT, format!("{place}#{count}"));
    }
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = output.output().unwrap();
    let killed = output.status.signal() == Some(9);
    assert!(
        output.status.success() || (killed && kill_at.is_some()),
        "{kill_at:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    killed
}

#[test]
fn a_host_killed_at_any_place_loses_nothing_and_does_little_twice() {
    for place in PLACES {
        for count in 1..=TIMES {
            let folder = tempfile::tempdir().unwrap();
            let killed = run(folder.path(), Some((place, count)));
            assert!(killed || count > 1, "{place:?} is never reached");
            if !killed {
                break;
            }
            assert!(!run(folder.path(), None));
            let ledger = std::fs::read_to_string(folder.path().join("ledger")).unwrap();
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for line in ledger.lines() {
                *counts.entry(line).or_default() += 1;
            }
            let names: Vec<_> = counts.keys().copied().collect();
            let mut expected = EFFECTS.to_vec();
            expected.sort_unstable();
            assert_eq!(names, expected, "{place} {count}: {ledger}");
            // One kill repeats at most the one activity that ran.
            assert!(
                counts.values().sum::<usize>() <= EFFECTS.len() + 1,
                "{place} {count}: {ledger}"
            );
        }
    }
}
