//! Policies under a virtual clock, exact to the attempt.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use berth_resiliency::{BreakerState, Code, Ended, Endpoint, Resiliencies};
use std::time::Duration;
use support::*;
use tokio::time::{Instant, advance, sleep};

/// Dapr's own example: calls to `inventory-service`.
const EXAMPLE: &str = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata:
  name: myresiliency
spec:
  policies:
    retries:
      retryThreeTimes:
        policy: constant
        duration: 5s
        maxRetries: 3
    circuitBreakers:
      simpleCB:
        maxRequests: 1
        interval: 8s
        timeout: 45s
        trip: consecutiveFailures >= 5
  targets:
    services:
      inventory-service:
        outbound:
          retry: retryThreeTimes
          circuitBreaker: simpleCB
";

fn example() -> Target {
    Target::new(invocation(&resiliencies(EXAMPLE), "inventory-service"))
}

/// The policy of a spec's `targets.components.statestore.outbound: { ... }`, over these policies.
fn component(policies: &str, outbound_policies: &str) -> Target {
    let spec = format!(
        "  policies: {policies}\n  targets: {{ components: {{ statestore: {{ outbound: {outbound_policies} }} }} }}"
    );
    Target::new(outbound(&resiliencies(&document(&spec))))
}

async fn wait(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn the_example_tries_three_more_times_five_seconds_apart() {
    let target = example();
    let answer = target.always(UNAVAILABLE).call().await;
    assert_eq!(target.attempts(), [0, 5_000, 10_000, 15_000]);
    assert_eq!(
        answer,
        "Failed(Grpc(14)) | failed after 4 attempts in 15s: attempts 1-4: Failed(Grpc(14))"
    );
    wait(10_000).await;
    // The interval of 8 s has forgotten the four failures.
    target.acts([UNAVAILABLE, UNAVAILABLE, Act::Succeed]);
    assert_eq!(target.call().await, "200");
    assert_eq!(target.attempts(), [25_000, 30_000, 35_000]);
}

#[tokio::test(start_paused = true)]
async fn the_example_opens_at_the_fifth_failure_in_a_row() {
    let target = example();
    target.always(UNAVAILABLE);
    // Five callers at once: their first attempts are five failures within the interval.
    let calls = (0..6).map(|_| target.call());
    let answers = futures::future::join_all(calls).await;
    assert_eq!(target.attempts(), [0; 5]);
    assert_eq!(
        answers[5],
        "refused | its circuit breaker is open for another 45s"
    );
    // An open breaker ends the retries of those that were waiting, as a permanent error does in Dapr.
    for answer in &answers[..5] {
        assert_eq!(
            answer,
            "refused | failed after 1 attempt in 5s, its circuit breaker is open for another 40s: \
             attempt 1: Failed(Grpc(14))"
        );
    }
    assert_eq!(target.now(), 5_000);
    wait(39_999).await;
    assert_eq!(
        target.call().await,
        "refused | its circuit breaker is open for another 1ms"
    );
    wait(1).await;
    // Half-open: one request decides. The second of two at the same time is not let through.
    target.always(Act::SucceedAfter(10));
    let (first, second) = tokio::join!(target.call(), target.call());
    assert_eq!(first, "200");
    assert_eq!(
        second,
        "refused | its circuit breaker is half-open and waits for the attempts that it has let through"
    );
    assert_eq!(target.attempts(), [45_000]);
    assert_eq!(target.call().await, "200");
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_keeps_the_example_open_for_another_45_seconds() {
    let target = example();
    target.always(UNAVAILABLE);
    futures::future::join_all((0..5).map(|_| target.call())).await;
    target.attempts();
    wait(40_000).await;
    let answer = target.call().await;
    assert_eq!(
        answer,
        "refused | failed after 1 attempt in 5s, its circuit breaker is open for another 40s: \
         attempt 1: Failed(Grpc(14))"
    );
    assert_eq!(target.attempts(), [45_000]);
    wait(40_000).await;
    assert_eq!(target.always(Act::Succeed).call().await, "200");
    assert_eq!(target.attempts(), [90_000]);
}

#[tokio::test(start_paused = true)]
async fn without_documents_an_invocation_is_tried_three_more_times_if_it_was_not_delivered() {
    let resiliencies = Resiliencies::default();
    let target = Target::new(invocation(&resiliencies, "stock"));
    assert_eq!(
        target.always(UNDELIVERED).call().await,
        "Undelivered(Grpc(14)) | failed after 4 attempts in 3s: attempts 1-4: Undelivered(Grpc(14))"
    );
    assert_eq!(target.attempts(), [0, 1_000, 2_000, 3_000]);
    for (act, answer) in [
        (Act::Answer(500), "500"),
        (Act::Answer(503), "503"),
        (UNAVAILABLE, "Failed(Grpc(14))"),
        (Act::Fail(Ended::Broken), "Broken"),
        (Act::Fail(Ended::Refused), "Refused"),
    ] {
        assert_eq!(target.always(act).call().await, answer);
        assert_eq!(target.attempts(), [3_000]);
    }
    // Nobody retries calls to itself, backends or deliveries.
    assert!(invocation(&resiliencies, "orders").is_none());
    assert!(outbound(&resiliencies).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_built_in_retries_can_be_defined_anew() {
    let retries = "retries: { DaprBuiltInServiceRetries: { duration: 2s, maxRetries: 5 } }";
    let resiliencies = resiliencies(&document(&format!("  policies: {{ {retries} }}")));
    let target = Target::new(invocation(&resiliencies, "stock"));
    target.always(UNDELIVERED).call().await;
    assert_eq!(target.attempts(), [0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    assert_eq!(target.always(UNAVAILABLE).call().await, "Failed(Grpc(14))");
}

#[tokio::test(start_paused = true)]
async fn a_retry_without_fields_is_every_five_seconds_without_end() {
    let target = component("{ retries: { plain: {} } }", "{ retry: plain }");
    target.always(UNAVAILABLE).call_within(1_000_000).await;
    let expected: Vec<u64> = (0..200).map(|attempt| attempt * 5_000).collect();
    assert_eq!(target.attempts(), expected);
}

#[tokio::test(start_paused = true)]
async fn exponential_pauses_begin_at_half_a_second_and_grow_by_half() {
    let policies =
        "{ retries: { slower: { policy: exponential, maxInterval: 2s, maxRetries: 6 } } }";
    let target = component(policies, "{ retry: slower }");
    target.always(UNAVAILABLE).call().await;
    assert_eq!(
        target.attempts(),
        [0, 500, 1_250, 2_375, 4_063, 6_063, 8_063]
    );
}

#[tokio::test(start_paused = true)]
async fn no_retries_means_one_attempt() {
    let policies = "{ retries: { never: { maxRetries: 0 } }, timeouts: { second: 1s, none: 0 } }";
    let target = component(policies, "{ retry: never, timeout: second }");
    assert_eq!(target.always(UNAVAILABLE).call().await, "Failed(Grpc(14))");
    assert_eq!(target.attempts(), [0]);
    let spec = format!(
        "  policies: {policies}\n  targets: {{ components: {{ statestore: {{ outbound: {{ retry: never, timeout: none }} }} }} }}"
    );
    assert!(outbound(&resiliencies(&document(&spec))).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_holds_for_each_attempt() {
    let policies =
        "{ timeouts: { quick: 300 }, retries: { twice: { duration: 1s, maxRetries: 2 } } }";
    let target = component(policies, "{ timeout: quick, retry: twice }");
    target.acts([Act::Hang, Act::SucceedAfter(301), Act::SucceedAfter(299)]);
    assert_eq!(target.call().await, "200");
    assert_eq!(target.attempts(), [0, 1_300, 2_600]);
    assert_eq!(target.now(), 2_899);
    let alone = component(policies, "{ timeout: quick }");
    assert_eq!(
        alone.always(Act::Hang).call().await,
        "no answer within 300ms"
    );
    assert_eq!((alone.attempts(), alone.now()), (vec![0], 300));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_alone_refuses_without_trying() {
    let policies = "{ circuitBreakers: { cb: { timeout: 2s, trip: consecutiveFailures > 1 } } }";
    let target = component(policies, "{ circuitBreaker: cb }");
    target.always(UNAVAILABLE);
    assert_eq!(target.call().await, "Failed(Grpc(14))");
    assert_eq!(target.call().await, "Failed(Grpc(14))");
    assert_eq!(
        target.call().await,
        "refused | its circuit breaker is open for another 2s"
    );
    assert_eq!(target.attempts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn late_attempts_open_a_breaker() {
    let policies = "{ timeouts: { quick: 100 }, circuitBreakers: { cb: { timeout: 2s, trip: totalFailures >= 2 } } }";
    let target = component(policies, "{ timeout: quick, circuitBreaker: cb }");
    target.acts([Act::Hang, Act::Succeed, Act::Hang]);
    for expected in [
        "no answer within 100ms",
        "200",
        "no answer within 100ms",
        "refused | its circuit breaker is open for another 2s",
    ] {
        assert_eq!(target.call().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn all_three_nest_as_in_dapr() {
    let policies = "{ timeouts: { quick: 100 }, retries: { often: { duration: 1s, maxRetries: 9 } }, \
                    circuitBreakers: { cb: { timeout: 30s, trip: consecutiveFailures >= 3 } } }";
    let target = component(
        policies,
        "{ timeout: quick, retry: often, circuitBreaker: cb }",
    );
    // Each attempt counts for the breaker, a late one too; when it opens, six retries are left and none is made.
    let answer = target.acts([Act::Hang, UNAVAILABLE]).always(Act::Hang);
    let answer = answer.call().await;
    assert_eq!(target.attempts(), [0, 1_100, 2_100]);
    assert_eq!(target.now(), 3_200);
    assert_eq!(
        answer,
        "refused | failed after 3 attempts in 3.2s, its circuit breaker is open for another 29s: \
         attempt 1: no answer within 100ms; attempt 2: Failed(Grpc(14)); attempt 3: no answer within 100ms"
    );
}

#[tokio::test(start_paused = true)]
async fn only_failures_that_another_attempt_may_cure_are_tried_again() {
    let target = component("{ retries: { r: { duration: 1s } } }", "{ retry: r }");
    for (act, answer) in [
        (Act::Fail(Ended::Answered), "Answered"),
        (Act::Fail(Ended::Refused), "Refused"),
        (Act::Fail(Ended::Broken), "Broken"),
    ] {
        assert_eq!(target.always(act).call().await, answer);
        assert_eq!(target.attempts().len(), 1);
    }
    target.always(Act::Succeed).acts([UNAVAILABLE, UNDELIVERED]);
    assert_eq!(target.call().await, "200");
    assert_eq!(target.attempts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn codes_that_are_listed_are_tried_again_and_no_others() {
    let matching = "matching: { httpStatusCodes: '429,502-504', gRPCStatusCodes: '4' }";
    let policies = format!("{{ retries: {{ r: {{ duration: 1s, maxRetries: 1, {matching} }} }} }}");
    let target = component(&policies, "{ retry: r }");
    let fails = |code| Act::Fail(Ended::Failed(code));
    for (act, attempts) in [
        (Act::Answer(429), 2),
        (Act::Answer(503), 2),
        (Act::Answer(500), 1),
        (Act::Answer(404), 1),
        (fails(Code::TIMEOUT), 2),
        (fails(Code::UNAVAILABLE), 1),
        (fails(Code::None), 2),
    ] {
        target.always(act).call().await;
        assert_eq!(target.attempts().len(), attempts, "{act:?}");
    }
    // The last answer is the answer, whatever it is.
    assert_eq!(target.always(Act::Answer(503)).call().await, "503");
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline_of_the_caller() {
    let target = component("{ retries: { r: { duration: 2s } } }", "{ retry: r }");
    let answer = target.always(UNAVAILABLE).call_within(5_000).await;
    assert_eq!(target.attempts(), [0, 2_000, 4_000]);
    // It does not wait for a time that is not there.
    assert_eq!(target.now(), 4_000);
    assert_eq!(
        answer,
        "Failed(Grpc(14)) | failed after 3 attempts in 4s, no time is left for another: attempts 1-3: Failed(Grpc(14))"
    );
    target.always(UNAVAILABLE).call_within(2_000).await;
    assert_eq!(target.attempts(), [4_000]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_with_the_deadline_of_the_caller() {
    let policies = "{ timeouts: { t: 3s }, retries: { r: { duration: 1s } } }";
    let target = component(policies, "{ timeout: t, retry: r }");
    let answer = target.always(Act::Hang).call_within(5_000).await;
    assert_eq!((target.attempts(), target.now()), (vec![0, 4_000], 5_000));
    assert_eq!(
        answer,
        "no answer before the deadline of the call | failed after 2 attempts in 5s: \
         attempt 1: no answer within 3s; attempt 2: no answer before the deadline of the call"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_ends_its_retries() {
    let target = component("{ retries: { r: { duration: 1s } } }", "{ retry: r }");
    target.always(UNAVAILABLE);
    let given_up = tokio::time::timeout(Duration::from_millis(2_500), target.call()).await;
    assert!(given_up.is_err());
    advance(Duration::from_secs(60)).await;
    assert_eq!(target.attempts(), [0, 1_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn every_method_of_an_app_has_its_own_breaker() {
    let target = example();
    target.always(UNAVAILABLE);
    let (reserve, stock) = (Endpoint::of("/reserve"), Endpoint::of("/stock"));
    let calls = (0..5).map(|_| target.call_endpoint(reserve, 1_000));
    futures::future::join_all(calls).await;
    assert!(
        target
            .call_endpoint(reserve, 1_000)
            .await
            .starts_with("refused")
    );
    target.always(Act::Succeed);
    assert_eq!(target.call_endpoint(stock, 1_000).await, "200");
}

#[tokio::test(start_paused = true)]
async fn breakers_of_methods_are_as_many_as_the_document_says() {
    let spec = "  policies: { circuitBreakers: { cb: { trip: consecutiveFailures >= 1 } } }\n  \
                  targets: { apps: { stock: { circuitBreaker: cb, circuitBreakerCacheSize: 2 } } }";
    let resiliencies = resiliencies(&document(spec));
    let target = Target::new(invocation(&resiliencies, "stock"));
    target.always(UNAVAILABLE);
    for path in ["/a", "/b", "/c"] {
        target.call_endpoint(Endpoint::of(path), 1_000).await;
    }
    let states = &resiliencies.breakers()[0].states;
    assert_eq!(states, &[(BreakerState::Open, 2)]);
    // The first one was forgotten, and with it that it was open.
    assert!(
        target
            .call_endpoint(Endpoint::of("/b"), 1)
            .await
            .starts_with("refused")
    );
    target.attempts();
    target.call_endpoint(Endpoint::of("/a"), 1).await;
    assert_eq!(target.attempts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_listing_tells_the_state_without_a_call() {
    let resiliencies = resiliencies(EXAMPLE);
    let target = Target::new(invocation(&resiliencies, "inventory-service"));
    target.always(UNAVAILABLE);
    futures::future::join_all((0..5).map(|_| target.call())).await;
    let states = || resiliencies.breakers()[0].states.clone();
    assert_eq!(states(), [(BreakerState::Open, 1)]);
    wait(40_000).await;
    assert_eq!(states(), [(BreakerState::HalfOpen, 1)]);
    let status = &resiliencies.breakers()[0];
    assert_eq!(
        (status.app.as_str(), status.target.name()),
        ("orders", "inventory-service")
    );
}

#[tokio::test(start_paused = true)]
async fn a_breaker_outlives_documents_that_do_not_change_it() {
    let before = resiliencies(EXAMPLE);
    let target = Target::new(invocation(&before, "inventory-service"));
    target.always(UNAVAILABLE);
    futures::future::join_all((0..5).map(|_| target.call())).await;
    let after = |text: &str, before: &Resiliencies| {
        Resiliencies::new(documents(text), Some(before), |_, _| true)
    };
    // Another retry, the same breaker: still open, and for the rest of its time.
    let slower = after(&EXAMPLE.replace("duration: 5s", "duration: 6s"), &before);
    let target = target.under(invocation(&slower, "inventory-service"));
    assert_eq!(
        target.call().await,
        "refused | its circuit breaker is open for another 40s"
    );
    // A document that was refused in between has changed nothing.
    drop(after(
        &EXAMPLE.replace("timeout: 45s", "timeout: 1s"),
        &slower,
    ));
    let same = after(EXAMPLE, &slower);
    let target = target.under(invocation(&same, "inventory-service"));
    assert!(target.call().await.starts_with("refused"));
    // Another breaker begins closed.
    let other = after(&EXAMPLE.replace("timeout: 45s", "timeout: 1s"), &same);
    let target = target.under(invocation(&other, "inventory-service"));
    target.attempts();
    assert_eq!(target.always(Act::Succeed).call().await, "200");
    assert_eq!(target.attempts().len(), 1);
    // What nobody needs any more is forgotten: of the two policies the older one, and apps that are gone.
    let later = after(&EXAMPLE.replace("timeout: 45s", "timeout: 1s"), &other);
    assert_eq!(later.breakers().len(), 1);
    let without_app = Resiliencies::new(documents(EXAMPLE), Some(&later), |_, _| false);
    assert_eq!(without_app.breakers(), []);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_ends_under_the_policy_that_it_began_with() {
    let before = component(
        "{ retries: { r: { duration: 10s, maxRetries: 1 } } }",
        "{ retry: r }",
    );
    before.acts([UNAVAILABLE]);
    let began = Instant::now();
    let running = before.call();
    tokio::pin!(running);
    assert!(futures::poll!(running.as_mut()).is_pending());
    let spec = "  policies: { retries: { r: { maxRetries: 0 } } }\n  \
                  targets: { components: { statestore: { outbound: { retry: r } } } }";
    assert!(outbound(&resiliencies(&document(spec))).is_none());
    assert_eq!(running.await, "200");
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}
