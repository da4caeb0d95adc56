//! A target that follows a script, called under the policies of documents, on a clock that only the tests move.

#![allow(
    dead_code,
    reason = "every test crate compiles all of it and uses a part"
)]

use berth_resiliency::{
    Code, ComponentKind, Direction, Ended, Endpoint, Judge, Last, Policy, Repeated, Resiliencies,
    Stopped, run,
};
use berth_resources::{AppId, LoadOptions, Namespace, Resiliency, Source, load};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Reads documents; an error in them is one of the test.
pub fn documents(text: &str) -> Vec<Resiliency> {
    let source = Source::Text {
        name: "resiliency.yaml".into(),
        text: text.to_owned(),
    };
    let options = LoadOptions {
        known_apps: ["orders", "carts", "stock"].map(app).to_vec(),
        ..LoadOptions::default()
    };
    let loaded = load(&[source], &options);
    assert!(!loaded.has_errors(), "{:#?}\n{text}", loaded.diagnostics);
    loaded.resources.resiliencies
}

/// The policies of documents, with exponential pauses that are not spread.
pub fn resiliencies(text: &str) -> Resiliencies {
    Resiliencies::new(documents(text), None, |_, _| true).with_jitter(|| 0.5)
}

/// One document with this `spec`, indented by two.
pub fn document(spec: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {{ name: policies }}\nspec:\n{spec}\n"
    )
}

pub fn app(name: &str) -> AppId {
    name.parse().unwrap()
}

/// The policy of app `orders` for calls to the state store `statestore`.
pub fn outbound(resiliencies: &Resiliencies) -> Option<Arc<Policy>> {
    let component = ("statestore", ComponentKind::Statestore);
    resiliencies.component(
        &Namespace::default(),
        &app("orders"),
        component,
        Direction::Outbound,
    )
}

/// The policy of app `orders` for calls to another.
pub fn invocation(resiliencies: &Resiliencies, target: &str) -> Option<Arc<Policy>> {
    let policies = resiliencies.invocation(&Namespace::default(), &app("orders"));
    policies.of(&app(target)).cloned()
}

/// How one attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Succeed,
    /// An answer that counts as a failure.
    Answer(u16),
    Fail(Ended),
    /// Succeeds after so many milliseconds.
    SucceedAfter(u64),
    /// Fails after so many milliseconds.
    FailAfter(u64),
    Hang,
}

pub const UNAVAILABLE: Act = Act::Fail(Ended::Failed(Code::UNAVAILABLE));
pub const UNDELIVERED: Act = Act::Fail(Ended::Undelivered(Code::UNAVAILABLE));

/// A target, and what it saw.
pub struct Target {
    policy: Arc<Policy>,
    script: RefCell<VecDeque<Act>>,
    /// After the script.
    then: Cell<Act>,
    began: Instant,
    /// Milliseconds since it began, one for each attempt.
    seen: RefCell<Vec<u64>>,
}

struct ByResult;

impl Judge<u16, Ended> for ByResult {
    fn ended(&self, result: &Result<u16, Ended>) -> Ended {
        match *result {
            Ok(status) if status < 400 => Ended::Answered,
            Ok(status) => Ended::Failed(Code::Http(status)),
            Err(ended) => ended,
        }
    }

    fn reason(&self, result: &Result<u16, Ended>) -> String {
        match result {
            Ok(status) => format!("status {status}"),
            Err(ended) => format!("{ended:?}"),
        }
    }
}

impl Target {
    pub fn new(policy: Option<Arc<Policy>>) -> Self {
        Self {
            policy: policy.expect("the documents have a policy"),
            script: RefCell::default(),
            then: Cell::new(Act::Succeed),
            began: Instant::now(),
            seen: RefCell::default(),
        }
    }

    /// From now on.
    pub fn always(&self, act: Act) -> &Self {
        self.then.set(act);
        self
    }

    /// Next.
    pub fn acts(&self, acts: impl IntoIterator<Item = Act>) -> &Self {
        self.script.borrow_mut().extend(acts);
        self
    }

    /// The same target under other policies.
    pub fn under(self, policy: Option<Arc<Policy>>) -> Self {
        let policy = policy.expect("the documents have a policy");
        Self { policy, ..self }
    }

    /// Calls it with an hour of time.
    pub async fn call(&self) -> String {
        self.call_within(3_600_000).await
    }

    /// Calls it with so many milliseconds of time.
    pub async fn call_within(&self, ms: u64) -> String {
        self.call_endpoint(Endpoint::WHOLE, ms).await
    }

    pub async fn call_endpoint(&self, endpoint: Endpoint, ms: u64) -> String {
        let deadline = Instant::now() + Duration::from_millis(ms);
        let answer = run(
            &self.policy,
            endpoint,
            deadline,
            Repeated(()),
            |_| self.attempt(),
            &ByResult,
        )
        .await;
        told(answer)
    }

    async fn attempt(&self) -> Result<u16, Ended> {
        self.seen.borrow_mut().push(self.now());
        let scripted = self.script.borrow_mut().pop_front();
        let failed = Err(Ended::Failed(Code::UNAVAILABLE));
        match scripted.unwrap_or(self.then.get()) {
            Act::Succeed => Ok(200),
            Act::Answer(status) => Ok(status),
            Act::Fail(ended) => Err(ended),
            Act::SucceedAfter(ms) => {
                sleep(Duration::from_millis(ms)).await;
                Ok(200)
            }
            Act::FailAfter(ms) => {
                sleep(Duration::from_millis(ms)).await;
                failed
            }
            Act::Hang => std::future::pending().await,
        }
    }

    /// Milliseconds since it was made.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// The moments of all attempts since the last time that they were asked for.
    pub fn attempts(&self) -> Vec<u64> {
        self.seen.take()
    }
}

fn told(answer: Result<u16, Stopped<Ended>>) -> String {
    let stopped = match answer {
        Ok(status) => return status.to_string(),
        Err(stopped) => stopped,
    };
    let mut text = match stopped.last {
        Last::Error(ended) => format!("{ended:?}"),
        Last::Late(late) => late.to_string(),
        Last::Refused => "refused".to_owned(),
    };
    if stopped.tried.is_worth_telling() {
        write!(text, " | {}", stopped.tried).unwrap();
    }
    text
}
