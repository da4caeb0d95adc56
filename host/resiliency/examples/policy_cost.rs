//! What a policy adds to a call that succeeds: `cargo run --release -p berth-resiliency --example policy_cost`.

use berth_resiliency::{
    ComponentKind, Direction, Ended, Endpoint, Judge, Policy, Repeated, Resiliencies, attempt, run,
};
use berth_resources::{LoadOptions, Namespace, Source, load};
use std::{
    error::Error,
    hint::black_box,
    io::Write,
    time::{Duration, Instant},
};

const CALLS: u32 = 2_000_000;
const ROUNDS: usize = 5;

const DOCUMENT: &str = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: policies }
spec:
  policies:
    timeouts: { t: 5s }
    retries: { r: { duration: 1s, maxRetries: 3 } }
    circuitBreakers: { c: {}, i: { interval: 8s } }
  targets:
    apps:
      stock: { timeout: t, retry: r, circuitBreaker: i }
    components:
      timeout: { outbound: { timeout: t } }
      retry: { outbound: { retry: r } }
      breaker: { outbound: { circuitBreaker: c } }
      all: { outbound: { timeout: t, retry: r, circuitBreaker: i } }
";

struct Always;

impl Judge<u64, ()> for Always {
    fn ended(&self, _: &Result<u64, ()>) -> Ended {
        Ended::Answered
    }

    fn reason(&self, _: &Result<u64, ()>) -> String {
        String::new()
    }
}

/// A call that is answered at once, or so late that its limit needs a timer.
async fn call(input: u64, waits: bool) -> Result<u64, ()> {
    if waits {
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    Ok(black_box(input))
}

async fn under(policy: Option<&Policy>, endpoint: Endpoint, input: u64, waits: bool) -> u64 {
    let deadline = tokio_deadline();
    let answer = match black_box(policy) {
        None => {
            let answer = attempt(call(input, waits), None, Some(deadline)).await;
            answer.ok().and_then(Result::ok)
        }
        Some(policy) => {
            let work = |Repeated(input)| call(input, waits);
            let answer = run(policy, endpoint, deadline, Repeated(input), work, &Always);
            answer.await.ok()
        }
    };
    answer.unwrap_or_default()
}

/// The caller's, which is made when a request is admitted and only handed on here.
fn tokio_deadline() -> tokio::time::Instant {
    static DEADLINE: std::sync::OnceLock<tokio::time::Instant> = std::sync::OnceLock::new();
    *DEADLINE.get_or_init(|| tokio::time::Instant::now() + Duration::from_secs(3_600))
}

/// The best of several rounds: others use the machine too.
async fn measure(policy: Option<&Policy>, endpoint: Option<&str>, waits: bool) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for input in 0..u64::from(CALLS) {
            let endpoint = endpoint.map_or(Endpoint::WHOLE, |path| Endpoint::of(black_box(path)));
            black_box(under(policy, endpoint, input, waits).await);
        }
        best = best.min(began.elapsed() / CALLS);
    }
    best
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let source = Source::Text {
        name: "resiliency.yaml".into(),
        text: DOCUMENT.to_owned(),
    };
    let documents = load(&[source], &LoadOptions::default())
        .resources
        .resiliencies;
    let resiliencies = Resiliencies::new(documents, None, |_, _| true);
    let (namespace, app) = (Namespace::default(), "orders".parse()?);
    let component = |name| {
        let component = (name, ComponentKind::Statestore);
        resiliencies.component(&namespace, &app, component, Direction::Outbound)
    };
    let invocations = resiliencies.invocation(&namespace, &app);
    for waits in [false, true] {
        let when = if waits {
            "which waits"
        } else {
            "which answers at once"
        };
        let bare = measure(None, None, waits).await;
        report(&format!("a call {when}, no policy"), bare, None)?;
        for name in ["timeout", "retry", "breaker", "all"] {
            let policy = component(name);
            let took = measure(policy.as_deref(), None, waits).await;
            report(name, took, Some(bare))?;
        }
        let policy = invocations.of(&"stock".parse()?).map(AsRef::as_ref);
        let took = measure(policy, Some("/reserve"), waits).await;
        report("all, a breaker for each method", took, Some(bare))?;
        let policy = invocations.of(&"other".parse()?).map(AsRef::as_ref);
        let took = measure(policy, Some("/reserve"), waits).await;
        report("the built-in retries", took, Some(bare))?;
    }
    Ok(())
}

fn report(what: &str, took: Duration, bare: Option<Duration>) -> Result<(), Box<dyn Error>> {
    let added = bare.map(|bare| format!(" (adds {:?})", took.saturating_sub(bare)));
    let added = added.unwrap_or_default();
    Ok(writeln!(std::io::stdout(), "{what}: {took:?} each{added}")?)
}
