//! Steps per second of the engine on SQLite with `synchronous=FULL`: workflows and activities in plain Rust, so that
//! what shows is the engine and its commits.
//!
//! `cargo run --release -p berth-workflow --example throughput [DIRECTORY]`
//!
//! `BERTH_STORE="state.postgresql connectionString=postgres://…"` takes another store, whose server keeps what it is told
//! as it is configured to; then also two hosts share it.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use berth_blocks::{
    registry::{Connections, Metadata, OpenContext},
    workflow::{InstanceKey, WorkflowStore},
};
use berth_resources::{AppId, Namespace};
use berth_workflow::{
    ActivityOptions, ActivityTask, Config, Context, Engine, Executor, Failure, Payload, Replay,
    StartOptions, Tokio, WorkflowEnd, WorkflowRun, replay,
};
use futures::future::{BoxFuture, join_all};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Names another store: its type, then metadata as `name=value`, with blanks between.
const STORE: &str = "BERTH_STORE";

/// How long each load lasts.
const TIME: Duration = Duration::from_secs(4);

struct Steps;

impl Executor for Steps {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        vec![(Namespace::default(), "bench".parse().unwrap())]
    }

    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        Box::pin(async move {
            let steps: u64 = std::str::from_utf8(&run.input.data)
                .unwrap()
                .parse()
                .unwrap();
            match run.name.as_str() {
                "fan" => return fan(&context, steps).await,
                "parked" => return parked(&context).await,
                "sleeps" => return sleeps(&context, steps).await,
                _ => {}
            }
            for step in 0..steps {
                let input = Payload::json(step.to_string());
                let options = ActivityOptions::default();
                let Ok(handle) = context.schedule_activity("step", input, options) else {
                    return WorkflowEnd::Completed(Payload::default());
                };
                if let Err(error) = context.wait(handle).await {
                    return WorkflowEnd::Failed(Failure::new("step", error.to_string()));
                }
            }
            WorkflowEnd::Completed(Payload::json("true"))
        })
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        Box::pin(async move { Ok(task.input) })
    }
}

/// Activities side by side.
async fn fan(context: &Context, count: u64) -> WorkflowEnd {
    let begin =
        |_| context.schedule_activity("step", Payload::json("1"), ActivityOptions::default());
    let handles: Result<Vec<_>, _> = (0..count).map(begin).collect();
    context.wait_all(&handles.unwrap()).await;
    WorkflowEnd::Completed(Payload::default())
}

/// Waits for an event.
async fn parked(context: &Context) -> WorkflowEnd {
    let event = context.schedule_event("go", None).unwrap();
    context.wait(event).await.unwrap();
    WorkflowEnd::Completed(Payload::default())
}

/// Waits for a timer.
async fn sleeps(context: &Context, millis: u64) -> WorkflowEnd {
    let timer = context
        .schedule_timer(Duration::from_millis(millis))
        .unwrap();
    context.wait(timer).await.unwrap();
    WorkflowEnd::Completed(Payload::default())
}

fn main() {
    let base = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(base).unwrap();
    println!(
        "fdatasync of 4 KiB: {:.3} ms (median)\n",
        fdatasync(folder.path())
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!("steps x parallel   workflows/s    steps/s   p50 ms   p99 ms");
    for (steps, parallel) in [(10, 1), (10, 32), (1, 64), (100, 32)] {
        runtime.block_on(load(folder.path(), steps, parallel, 1));
    }
    runtime.block_on(fans(folder.path()));
    if std::env::var_os(STORE).is_some() {
        println!("\ntwo hosts");
        for (steps, parallel) in [(10, 32), (1, 64)] {
            runtime.block_on(load(folder.path(), steps, parallel, 2));
        }
        return;
    }
    runtime.block_on(sizes(folder.path()));
    runtime.block_on(timers(folder.path()));
    runtime.block_on(recovery(folder.path()));
    runtime.block_on(replays());
}

/// Median milliseconds to append 4 KiB to a file and to wait for the disk.
fn fdatasync(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("fsync")).unwrap();
    let mut times: Vec<_> = (0..500)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&[0; 4096]).unwrap();
            file.sync_data().unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// The embedded store, or the one that the environment names. `number`: with tables or keys of its own.
async fn store(folder: &Path, number: u64) -> Arc<dyn WorkflowStore> {
    let text = std::env::var(STORE).unwrap_or_else(|_| "state.sqlite".to_owned());
    let mut words = text.split(' ');
    let kind = words.next().unwrap();
    let registry = berth_drivers::registry();
    let driver = registry.driver(kind).unwrap();
    let own = format!("load{}x{number}", std::process::id());
    let context = OpenContext {
        name: "statestore".to_owned(),
        namespace: own.parse().unwrap(),
        data_dir: folder.to_owned(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let entries = words.filter_map(|word| word.split_once('='));
    let entries = entries.map(|(name, value)| (name.to_owned(), value.into()));
    let mut metadata = Metadata::from_iter(entries);
    if kind == "state.postgresql" {
        metadata.insert("tablePrefix".to_owned(), format!("{own}_").into());
    }
    let opened = (driver.open)(context, metadata).await.unwrap();
    opened.workflows.unwrap()
}

/// Numbers for [`store`].
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

async fn engine(store: Arc<dyn WorkflowStore>) -> Arc<Engine> {
    let config = Config {
        inbox_interval: store.is_shared().then_some(Duration::from_millis(250)),
        ..Config::default()
    };
    let engine = Engine::open(store, Arc::new(Steps), Arc::new(Tokio), config);
    Arc::new(engine.await.unwrap())
}

fn key(number: u64) -> InstanceKey {
    InstanceKey::new(
        Namespace::default(),
        "bench".parse().unwrap(),
        &format!("instance-{number}"),
    )
}

async fn run_one(engine: &Engine, number: u64, steps: u64) {
    run(engine, number, "steps", steps).await;
}

async fn run(engine: &Engine, number: u64, workflow: &str, steps: u64) {
    let input = Payload::json(steps.to_string());
    engine
        .start(&key(number), workflow, input, StartOptions::default())
        .await
        .unwrap();
    let view = engine.wait(&key(number), None).await.unwrap();
    assert!(matches!(view.outcome, Some(Ok(_))), "{view:?}");
}

async fn load(folder: &Path, steps: u64, parallel: usize, hosts: usize) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let (mut engines, number) = (Vec::new(), fresh());
    for _ in 0..hosts {
        engines.push(engine(store(folder.path(), number).await).await);
    }
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let loads = (0..parallel).map(|place| {
        let (engine, next) = (engines[place % hosts].clone(), next.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() < TIME {
                let start = Instant::now();
                run_one(&engine, next.fetch_add(1, Ordering::Relaxed), steps).await;
                times.push(start.elapsed());
            }
            times
        })
    });
    let mut times: Vec<_> = join_all(loads)
        .await
        .into_iter()
        .flat_map(|times| times.unwrap())
        .collect();
    let seconds = begun.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let rate = times.len() as f64 / seconds;
    println!(
        "{steps:5} x {parallel:<8} {rate:12.0} {:10.0} {:8.2} {:8.2}",
        rate * steps as f64,
        at(0.5),
        at(0.99)
    );
    for engine in engines {
        engine.shut_down().await;
    }
}

/// One workflow with many activities at once.
async fn fans(folder: &Path) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let engine = engine(store(folder.path(), fresh()).await).await;
    let (rounds, width) = (10, 1_000);
    let begun = Instant::now();
    for number in 0..rounds {
        run(&engine, number, "fan", width).await;
    }
    let rate = (rounds * width) as f64 / begun.elapsed().as_secs_f64();
    println!("\n{width} activities at once, one workflow after the other: {rate:.0} activities/s");
    engine.shut_down().await;
}

/// How late timers are, of instances that are kept and of those that were given up meanwhile.
async fn timers(folder: &Path) {
    for (what, idle_after) in [("kept", 60), ("given up", 0)] {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let config = Config {
            idle_after: Duration::from_secs(idle_after),
            ..Config::default()
        };
        let store = store(folder.path(), fresh()).await;
        let engine = Engine::open(store, Arc::new(Steps), Arc::new(Tokio), config)
            .await
            .unwrap();
        let late = (0..500_u64).map(|number| {
            let engine = &engine;
            async move {
                let millis = 1_000 + number * 4;
                run(engine, number, "sleeps", millis).await;
                let row = engine.get(&key(number)).await.unwrap().unwrap().row;
                let due = row.created_at.after(Duration::from_millis(millis));
                due.until(row.state.finished_at.unwrap()).as_secs_f64() * 1e3
            }
        });
        let mut late = join_all(late).await;
        late.sort_by(f64::total_cmp);
        let (half, most) = (late[late.len() / 2], late[late.len() * 99 / 100]);
        println!("timers of instances that were {what}: p50 {half:.0} ms late, p99 {most:.0} ms");
        engine.shut_down().await;
    }
}

/// A host that begins with many instances that wait.
async fn recovery(folder: &Path) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let config = Config {
        instances_max: 20_000,
        ..Config::default()
    };
    let number = fresh();
    let open = async |config: Config| {
        let store = store(folder.path(), number).await;
        Engine::open(store, Arc::new(Steps), Arc::new(Tokio), config)
            .await
            .unwrap()
    };
    let count = 10_000;
    let first = open(config.clone()).await;
    let starts = (0..count).map(|number| {
        let key = key(number);
        let first = &first;
        async move {
            let options = StartOptions::default();
            first
                .start(&key, "parked", Payload::json("1"), options)
                .await
                .unwrap();
        }
    });
    join_all(starts).await;
    first.shut_down().await;
    drop(first);
    let begun = Instant::now();
    let engine = open(config).await;
    let opened = begun.elapsed();
    engine
        .raise_event(&key(5_000), "go", Payload::default(), None)
        .await
        .unwrap();
    engine.wait(&key(5_000), None).await.unwrap();
    println!(
        "{count} parked instances: open in {:.1} ms, the first of them done after {:.1} ms, {} loaded",
        opened.as_secs_f64() * 1e3,
        begun.elapsed().as_secs_f64() * 1e3,
        engine.owned().len(),
    );
    engine.shut_down().await;
}

/// What one activity leaves in the file.
async fn sizes(folder: &Path) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let engine = engine(store(folder.path(), fresh()).await).await;
    let (workflows, steps) = (50, 100);
    join_all((0..workflows).map(|number| run_one(&engine, number, steps))).await;
    let events = engine.history(&key(0)).await.unwrap().len();
    engine.shut_down().await;
    drop(engine);
    // The last owner of the file moves the log into it.
    let log = || {
        std::fs::read_dir(folder.path())
            .unwrap()
            .any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().ends_with("-wal")))
    };
    while log() {
        tokio::task::yield_now().await;
    }
    let bytes: u64 = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    println!(
        "\n{:.2} rows and {} bytes of file per activity, all included",
        (events - 1) as f64 / steps as f64,
        bytes / (workflows * steps)
    );
}

/// Replaying histories that are in memory: what a release or crash costs beside reading rows.
async fn replays() {
    let store = Arc::new(berth_blocks::memory::InMemoryWorkflows::default());
    let engine = engine(store).await;
    run_one(&engine, 0, 5_000).await;
    let history = engine.history(&key(0)).await.unwrap();
    let (rounds, events) = (20, history.len());
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let history = history.clone();
        let begun = Instant::now();
        let outcome = replay(&Steps, &key(0), history, None).await;
        spent += begun.elapsed();
        assert!(matches!(outcome, Replay::Ended(_)), "{outcome:?}");
    }
    println!(
        "{:.0} events/s replayed",
        (rounds * events) as f64 / spent.as_secs_f64()
    );
}
