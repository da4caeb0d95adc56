//! Runs programs as workflows, and their activities, with a ledger of everything that happened outside.

use crate::{
    disk::Disk,
    program::{Call, Program, Step},
    rng::mix,
    world::{World, at_once},
};
use berth_blocks::workflow::InstanceKey;
use berth_resources::{AppId, Namespace};
use berth_workflow::{
    ActivityOptions, ActivityTask, ChildOptions, Context, ContextError, Dispatch, Event, EventKind,
    Executor, Failure, Handle, Payload, RetryPolicy, WaitError, WorkflowEnd, WorkflowRun,
};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// One execution of an activity.
#[derive(Debug, Clone)]
pub struct Execution {
    pub key: InstanceKey,
    pub idempotency_key: String,
    pub number: u64,
}

/// What happened outside, which no crash undoes.
#[derive(Debug, Default)]
pub struct Ledger {
    pub executions: Vec<Execution>,
    /// Instances whose compensation ran.
    pub compensated: Vec<InstanceKey>,
    /// Rules that were broken.
    pub violations: Vec<String>,
}

/// Code under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// As programs say.
    Faithful,
    /// Asks for another activity in the middle, as code that was changed without care.
    Changed,
}

/// Runs programs on one host.
pub struct Guests {
    pub world: World,
    pub apps: Vec<AppId>,
    pub ledger: Arc<Mutex<Ledger>>,
    /// To see what is stored when an activity begins.
    pub disk: Disk,
    pub code: Arc<Mutex<Code>>,
}

impl Executor for Guests {
    fn apps(&self) -> Vec<(Namespace, AppId)> {
        let apps = self.apps.iter();
        apps.map(|app| (Namespace::default(), app.clone()))
            .collect()
    }

    fn run_workflow(&self, context: Context, run: WorkflowRun) -> BoxFuture<'static, WorkflowEnd> {
        let code = *self.code.lock();
        Box::pin(async move {
            match Interpreter::new(context, &run, code).run().await {
                Ok(end) => end,
                // A guest would trap; it must not matter what comes of it.
                Err(ContextError::Halted) => WorkflowEnd::Completed(Payload::bytes("halted")),
                Err(other) => WorkflowEnd::Failed(Failure::new("context", other.to_string())),
            }
        })
    }

    fn run_activity(&self, task: ActivityTask) -> BoxFuture<'static, Result<Payload, Failure>> {
        let world = self.world.clone();
        let input: serde_json::Value = serde_json::from_slice(&task.input.data).unwrap();
        self.note(&task, &input);
        Box::pin(async move {
            let number = |name: &str| input[name].as_u64().unwrap_or(0);
            if input["hangs"] == true && task.attempt == 1 {
                std::future::pending::<()>().await;
            }
            world.sleep(number("millis")).await;
            if input["fatal"] == true {
                return Err(Failure::new("fatal", "no use").non_retryable());
            }
            let failures = number("failures") + u64::from(input["hangs"] == true);
            if u64::from(task.attempt) <= failures {
                return Err(Failure::new("passing", "try again"));
            }
            let weight = "w".repeat(usize::try_from(number("weight")).unwrap());
            Ok(Payload::json(format!(
                "[{},\"{weight}\"]",
                mix(number("number"))
            )))
        })
    }
}

impl Guests {
    /// Enters an execution into the ledger, and checks that everything it follows from is stored.
    fn note(&self, task: &ActivityTask, input: &serde_json::Value) {
        let mut ledger = self.ledger.lock();
        if task.name == "compensate" {
            ledger.compensated.push(task.key.clone());
            return;
        }
        ledger.executions.push(Execution {
            key: task.key.clone(),
            idempotency_key: task.idempotency_key.clone(),
            number: input["number"].as_u64().unwrap(),
        });
        let Ok(rows) = at_once(self.disk.history(&task.key, 0, usize::MAX)) else {
            return;
        };
        let events: Vec<_> = rows
            .iter()
            .map(|row| Event::decode(&row.body).unwrap())
            .collect();
        let same_run = events.first().is_some_and(|event| {
            matches!(&event.kind, EventKind::Started(started) if task.idempotency_key.starts_with(&started.execution))
        });
        let stored = events
            .iter()
            .filter(|event| is_delivery(&event.kind))
            .count() as u64;
        let seen = input["seen"].as_u64().unwrap();
        if same_run && stored < seen {
            ledger.violations.push(format!(
                "I5: {:?} began {} with {seen} results seen and {stored} stored",
                task.key, task.name
            ));
        }
    }
}

fn is_delivery(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::ActivityCompleted { .. }
            | EventKind::ActivityFailed { .. }
            | EventKind::TimerFired { .. }
            | EventKind::EventRaised { .. }
            | EventKind::ChildCompleted { .. }
            | EventKind::ChildFailed { .. }
            | EventKind::CancelRequested { .. }
    )
}

/// The input of a program: which one, and where it goes on.
pub fn input(program: &Program, place: u64, acc: u64) -> Payload {
    Payload::json(json!([program.seed, program.depth, place, acc]).to_string())
}

struct Interpreter {
    context: Context,
    program: Program,
    place: u64,
    acc: u64,
    /// Results that this run has seen.
    seen: u64,
    code: Code,
}

/// A step went wrong for good.
enum Broken {
    Context(ContextError),
    Canceled,
}

impl From<ContextError> for Broken {
    fn from(error: ContextError) -> Self {
        Self::Context(error)
    }
}

impl Interpreter {
    fn new(context: Context, run: &WorkflowRun, code: Code) -> Self {
        let [seed, depth, place, acc]: [u64; 4] = serde_json::from_slice(&run.input.data).unwrap();
        Self {
            context,
            program: Program::of(seed, u32::try_from(depth).unwrap()),
            place,
            acc,
            seen: 0,
            code,
        }
    }

    async fn run(mut self) -> Result<WorkflowEnd, ContextError> {
        let steps = self.program.steps.clone();
        for step in steps.iter().skip(usize::try_from(self.place).unwrap()) {
            let value = match self.step(step).await {
                Ok(Some(value)) => value,
                Ok(None) => return Ok(WorkflowEnd::Completed(Payload::default())),
                Err(Broken::Context(error)) => return Err(error),
                Err(Broken::Canceled) => return self.compensate().await,
            };
            self.acc = mix(self.acc ^ value);
            self.place += 1;
            self.context
                .set_custom_status(&format!("step {}", self.place))?;
        }
        Ok(WorkflowEnd::Completed(Payload::json(self.acc.to_string())))
    }

    async fn compensate(&mut self) -> Result<WorkflowEnd, ContextError> {
        let options = options(None);
        let handle = self
            .context
            .schedule_activity("compensate", Payload::bytes("{}"), options)?;
        Ok(match self.context.wait(handle).await {
            Ok(_) => WorkflowEnd::Failed(Failure::new("canceled", "compensated")),
            Err(error) => WorkflowEnd::Failed(Failure::new("not compensated", error.to_string())),
        })
    }

    /// What a step contributes; `None`: the run ends here.
    async fn step(&mut self, step: &Step) -> Result<Option<u64>, Broken> {
        if self.code == Code::Changed && self.place == 1 {
            let handle = self.context.schedule_timer(Duration::from_millis(77_777))?;
            self.wait(handle).await?.ok();
        }
        Ok(Some(match step {
            Step::Activity(call) => {
                let handle = self.schedule(call)?;
                self.value(call, handle).await?
            }
            Step::Fan(calls) => {
                let handles = self.schedule_all(calls)?;
                self.context.wait_all(&handles).await;
                self.values(calls, &handles).await?
            }
            Step::Race(calls) => {
                let handles = self.schedule_all(calls)?;
                let first = self.context.wait_any(&handles).await;
                assert!(first.is_some_and(|first| first < calls.len()), "{first:?}");
                self.values(calls, &handles).await?
            }
            Step::Timer { millis } => {
                let before = self.context.now();
                let handle = self
                    .context
                    .schedule_timer(Duration::from_millis(*millis))?;
                self.wait(handle).await?.ok();
                let passed = before.until(self.context.now());
                if passed < Duration::from_millis(*millis) {
                    return Ok(Some(0xbad));
                }
                1
            }
            Step::Event { name } => {
                let handle = self.context.schedule_event(name, None)?;
                let payload = self.wait(handle).await?;
                payload.map_or(0xbad, |payload| parse(&payload))
            }
            Step::Silence { millis } => {
                let timeout = Some(Duration::from_millis(*millis));
                let handle = self.context.schedule_event("silence", timeout)?;
                match self.wait(handle).await? {
                    Err(WaitError::TimedOut(_)) => 2,
                    _ => 0xbad,
                }
            }
            Step::Child(child) => {
                let input = input(child, 0, child.seed);
                let options = ChildOptions::default();
                let handle = self.context.schedule_child("program", input, options)?;
                self.wait(handle)
                    .await?
                    .map_or(0xbad, |payload| parse(&payload))
            }
            Step::Patch { id } => {
                if self.context.patched(id)? {
                    3
                } else {
                    0xbad
                }
            }
            Step::ContinueAsNew => {
                let acc = mix(self.acc ^ 4);
                let next = input(&self.program, self.place + 1, acc);
                self.context.continue_as_new(next, true)?;
                return Ok(None);
            }
        }))
    }

    fn schedule_all(&mut self, calls: &[Call]) -> Result<Vec<Handle>, Broken> {
        calls.iter().map(|call| self.schedule(call)).collect()
    }

    /// The input holds what must be the same in every replay: time, randomness, and how much was seen.
    fn schedule(&mut self, call: &Call) -> Result<Handle, Broken> {
        let random = self.context.random(4)?;
        let input = json!({
            "number": call.number, "failures": call.failures, "fatal": call.fatal, "hangs": call.hangs,
            "weight": call.weight, "millis": call.millis,
            "now": self.context.now().0, "random": random, "uuid": self.context.uuid(), "seen": self.seen,
        });
        let input = Payload::json(input.to_string());
        let handle = self
            .context
            .schedule_activity("call", input, options(Some(call)))?;
        Ok(handle)
    }

    async fn values(&mut self, calls: &[Call], handles: &[Handle]) -> Result<u64, Broken> {
        let mut sum = 0;
        for (call, handle) in calls.iter().zip(handles) {
            sum = mix(sum ^ self.value(call, *handle).await?);
        }
        Ok(sum)
    }

    async fn value(&mut self, call: &Call, handle: Handle) -> Result<u64, Broken> {
        Ok(match self.wait(handle).await? {
            Ok(payload) => {
                let (value, weight): (u64, String) = serde_json::from_slice(&payload.data).unwrap();
                if weight.len() == call.weight {
                    value
                } else {
                    0xbad
                }
            }
            Err(WaitError::Failed(failure)) if failure.kind == "fatal" => 0xdead,
            Err(_) => 0xbad,
        })
    }

    async fn wait(&mut self, handle: Handle) -> Result<Result<Payload, WaitError>, Broken> {
        let result = self.context.wait(handle).await;
        self.seen += 1;
        match result {
            Err(WaitError::Canceled(_)) => Err(Broken::Canceled),
            other => Ok(other),
        }
    }
}

/// Attempts without end, nearly: how many get lost is up to the faults.
fn options(call: Option<&Call>) -> ActivityOptions {
    let retry = RetryPolicy {
        max_attempts: 1_000,
        first_interval: Duration::from_millis(10),
        max_interval: Some(Duration::from_millis(200)),
        ..RetryPolicy::default()
    };
    ActivityOptions {
        retry,
        start_to_close: call
            .filter(|call| call.hangs)
            .map(|_| Duration::from_secs(30)),
        app: call.and_then(|call| call.app).map(str::to_owned),
        dispatch: match call {
            Some(call) if call.queued => Dispatch::Queued,
            _ => Dispatch::Inline,
        },
        record_intent: call.is_some_and(|call| call.intent),
    }
}

fn parse(payload: &Payload) -> u64 {
    std::str::from_utf8(&payload.data)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0xbad)
}
