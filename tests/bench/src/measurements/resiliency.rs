//! What a resiliency policy adds to a call: `store.get` of a guest under a timeout, retries and a circuit breaker, less
//! the same call without any, by the guest's own clock.

use super::wit_call;
use crate::{
    host::{self, App, Host},
    http, paths,
    report::{Budget, Line, Unit},
    samples::alternate,
    settings::Settings,
};
use anyhow::Result;

const BUDGET: Budget = Budget::AtMost(1.0);
const POLICIES: &str = "---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: bench }
spec:
  policies:
    timeouts: { general: 5s }
    retries: { important: { policy: exponential, maxInterval: 15s, maxRetries: 10 } }
    circuitBreakers:
      simple: { maxRequests: 1, interval: 8s, timeout: 45s, trip: consecutiveFailures > 5 }
  targets:
    components:
      statestore:
        outbound: { timeout: general, retry: important, circuitBreaker: simple }
";

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let plain = host(settings, "plain", "")?;
    let guarded = host(settings, "guarded", POLICIES)?;
    let [added] = alternate(
        settings.rounds,
        [Box::new(|| {
            let without = wit_call::microseconds(settings, &plain, "get")?;
            Ok(wit_call::microseconds(settings, &guarded, "get")? - without)
        })],
    )?;
    let what = "a timeout, retries and a breaker add to a call";
    Ok(vec![Line::alone(what, Unit::Microseconds, &added, BUDGET)])
}

fn host(settings: &Settings, name: &str, policies: &str) -> Result<Host> {
    let folder = paths::scratch(&format!("resiliency_{name}"))?;
    let (hello, bench) = (paths::guest("hello")?, paths::guest("bench")?);
    let apps = [App::fresh("hello", &hello), App::fresh("bench", &bench)];
    let backends = host::in_memory()? + policies;
    let host = host::run_apps(settings, &folder, &backends, &apps)?;
    http::get(host.address, "/bench/state/fill", wit_call::PATIENCE)?;
    Ok(host)
}
