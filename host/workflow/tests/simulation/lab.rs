//! A world for one question: workflows and activities written for a test, on hosts that the test starts and kills.

use crate::disk::Disk;
use crate::world::{HostPlatform, Life, OUTSIDE, World, at_once};
use berth_blocks::workflow::{InstanceKey, InstanceRow, Status};
use berth_resources::{AppId, Namespace};
use berth_workflow::{
    ActivityOptions, ActivityTask, Config, Context, Engine, Event, Executor, Failure, InstanceView,
    Payload, RetryPolicy, StartOptions, WaitError, WorkflowEnd, WorkflowRun,
};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

type Workflow = dyn Fn(Context, WorkflowRun) -> BoxFuture<'static, WorkflowEnd> + Send + Sync;
type Activity = dyn Fn(ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> + Send + Sync;

/// The code of all apps, which a test may change.
#[derive(Clone, Default)]
pub struct Code {
    workflows: Arc<Mutex<BTreeMap<String, Arc<Workflow>>>>,
    activities: Arc<Mutex<BTreeMap<String, Arc<Activity>>>>,
    /// Every attempt, in order: name and attempt.
    pub attempts: Arc<Mutex<Vec<(String, u32)>>>,
}

/// One life of a host.
pub struct LabHost {
    pub life: Life,
    pub engine: Arc<Engine>,
}

pub struct Lab {
    pub world: World,
    pub disk: Disk,
    pub code: Code,
    pub config: Config,
}

struct Runner {
    code: Code,
    apps: Vec<AppId>,
}

impl Executor for Runner {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        self.apps
            .iter()
            .map(|app| (Namespace::default(), app.clone()))
            .collect()
    }

    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        let workflow = self.code.workflows.lock().get(&run.name).cloned();
        match workflow {
            Some(workflow) => workflow(context, run),
            None => Box::pin(async move {
                WorkflowEnd::Unavailable(format!("no workflow \"{}\"", run.name))
            }),
        }
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        self.code
            .attempts
            .lock()
            .push((task.name.clone(), task.attempt));
        let activity = self.code.activities.lock().get(&task.name).cloned();
        match activity {
            Some(activity) => activity(task),
            None => Box::pin(async move { Ok(task.input) }),
        }
    }
}

impl Code {
    pub fn workflow<F: Future<Output = WorkflowEnd> + Send + 'static>(
        &self,
        name: &str,
        code: impl Fn(Context, WorkflowRun) -> F + Send + Sync + 'static,
    ) {
        let code: Arc<Workflow> = Arc::new(move |context, run| Box::pin(code(context, run)));
        self.workflows.lock().insert(name.to_owned(), code);
    }

    pub fn activity<F: Future<Output = Result<Payload, Failure>> + Send + 'static>(
        &self,
        name: &str,
        code: impl Fn(ActivityTask) -> F + Send + Sync + 'static,
    ) {
        let code: Arc<Activity> = Arc::new(move |task| Box::pin(code(task)));
        self.activities.lock().insert(name.to_owned(), code);
    }

    /// Attempts of one activity.
    pub fn attempts_of(&self, name: &str) -> Vec<u32> {
        let attempts = self.attempts.lock();
        attempts
            .iter()
            .filter(|(of, _)| of == name)
            .map(|(_, attempt)| *attempt)
            .collect()
    }

    /// Names of activities, in the order of their attempts.
    pub fn names(&self) -> Vec<String> {
        self.attempts
            .lock()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }
}

pub fn key(id: &str) -> InstanceKey {
    InstanceKey::new(Namespace::default(), "app".parse().unwrap(), id)
}

impl Lab {
    pub fn new() -> Self {
        Self::seeded(7)
    }

    /// What happens at the same time happens in an order that the seed decides.
    pub fn seeded(seed: u64) -> Self {
        Self {
            world: World::new(seed),
            disk: Disk::default(),
            code: Code::default(),
            config: Config {
                lease: Duration::from_secs(5),
                inbox_interval: Some(Duration::from_millis(200)),
                ..Config::default()
            },
        }
    }

    /// A host with app `app`, and `others`.
    pub fn host_with(&self, others: &[&str]) -> LabHost {
        self.host_of(others, 0)
    }

    /// A host whose clock is wrong by so many milliseconds.
    pub fn host_skewed(&self, skew: i64) -> LabHost {
        self.host_of(&[], skew)
    }

    fn host_of(&self, others: &[&str], skew: i64) -> LabHost {
        let life = self.world.new_life();
        let apps = std::iter::once(&"app")
            .chain(others)
            .map(|app| app.parse().unwrap());
        let runner = Runner {
            code: self.code.clone(),
            apps: apps.collect(),
        };
        let platform = HostPlatform {
            world: self.world.clone(),
            life,
            skew,
        };
        let (store, config) = (self.disk.store.clone(), self.config.clone());
        let engine = self.outside(async move {
            Engine::open(store, Arc::new(runner), Arc::new(platform), config).await
        });
        LabHost {
            life,
            engine: Arc::new(engine.unwrap()),
        }
    }

    pub fn host(&self) -> LabHost {
        self.host_with(&[])
    }

    /// Kills a host.
    pub fn kill(&self, host: LabHost) {
        self.world.crash(host.life);
    }

    /// The value of something that happens in this world, within a day.
    pub fn outside<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let value = Arc::new(Mutex::new(None));
        let place = value.clone();
        self.world.spawn(
            OUTSIDE,
            Box::pin(async move {
                let value = future.await;
                *place.lock() = Some(value);
            }),
        );
        let end = self.world.now().after(Duration::from_secs(86_400));
        assert!(
            self.world.run(end, || value.lock().is_some()),
            "it never happens"
        );
        value.lock().take().unwrap()
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        let end = self.world.now().after(time);
        let world = self.world.clone();
        self.outside(async move { world.sleep_until(end).await });
    }

    pub fn start(&self, host: &LabHost, id: &str, workflow: &'static str, input: &str) {
        let (engine, key, input) = (host.engine.clone(), key(id), Payload::json(input));
        let started = self.outside(async move {
            engine
                .start(&key, workflow, input, StartOptions::default())
                .await
        });
        started.unwrap();
    }

    /// Waits for the end of an instance.
    pub fn end(&self, host: &LabHost, id: &str) -> InstanceView {
        let (engine, key) = (host.engine.clone(), key(id));
        self.outside(async move { engine.wait(&key, Some(Duration::from_secs(80_000))).await })
            .unwrap()
    }

    /// How an instance ended, for comparison.
    pub fn outcome(&self, host: &LabHost, id: &str) -> (Status, String) {
        let view = self.end(host, id);
        let text = match view.outcome.unwrap() {
            Ok(payload) => String::from_utf8(payload.data.to_vec()).unwrap(),
            Err(failure) => failure.to_string(),
        };
        (view.row.state.status, text)
    }

    pub fn row(&self, id: &str) -> InstanceRow {
        at_once(self.disk.get(&key(id))).unwrap().unwrap()
    }

    pub fn history(&self, id: &str) -> Vec<Event> {
        crate::checks::history(&self.disk, &key(id))
    }

    /// Runs until a row looks as it should, at most an hour.
    pub fn until(&self, id: &str, fits: impl Fn(&InstanceRow) -> bool) -> InstanceRow {
        let end = self.world.now().after(Duration::from_secs(3_600));
        let found = self.world.run(end, || {
            at_once(self.disk.get(&key(id)))
                .unwrap()
                .is_some_and(|row| fits(&row))
        });
        let row = self.row(id);
        assert!(found, "{row:?}");
        row
    }
}

/// Options with a policy: at most `attempts`, a second apart at first.
pub fn attempts(attempts: u32) -> ActivityOptions {
    ActivityOptions {
        retry: RetryPolicy {
            max_attempts: attempts,
            ..RetryPolicy::default()
        },
        ..ActivityOptions::default()
    }
}

/// Calls an activity and waits.
pub async fn call(
    context: &Context,
    name: &str,
    options: ActivityOptions,
) -> Result<Payload, WaitError> {
    let handle = context.schedule_activity(name, Payload::json("1"), options);
    match handle {
        Ok(handle) => context.wait(handle).await,
        // The instance is being stopped: a guest traps here.
        Err(_) => std::future::pending().await,
    }
}

/// The end of a workflow whose last call gave this.
pub fn ended(result: Result<Payload, WaitError>) -> WorkflowEnd {
    match result {
        Ok(payload) => WorkflowEnd::Completed(payload),
        Err(WaitError::Failed(failure)) => WorkflowEnd::Failed(failure),
        Err(other) => WorkflowEnd::Failed(Failure::new("wait", other.to_string())),
    }
}
