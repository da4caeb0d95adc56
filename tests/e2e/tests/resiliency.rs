//! Resiliency documents, applied: what is tried again, what a circuit breaker keeps away, and changes under load.

mod common;

use anyhow::{Result, ensure};
use berth_e2e::{Answer, Host, eventually, timely};
use berth_servers::{Redis, RedisOptions};
use common::Village;
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

const VALUE: &str = "/v1.0/state/statestore/k";

/// A host whose app `hello` has its state in Redis, under a policy of `statestore`.
async fn start(village: &Village, redis: &Redis, policies: &str) -> Result<Host> {
    village.app("hello", "hello", "[/]", "")?;
    let metadata = [("redisHost", &*redis.address())];
    village.component("statestore", "state.redis", &metadata)?;
    policy(village, policies)?;
    village.start().await
}

fn policy(village: &Village, policies: &str) -> Result<()> {
    let kind = if policies.contains("retries") {
        "retry"
    } else {
        "circuitBreaker"
    };
    let document = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: own\nspec:\n  policies:\n{policies}  \
         targets:\n    components:\n      statestore:\n        outbound: {{ {kind}: own }}\n"
    );
    village.folder.write("resiliency.yaml", document)?;
    Ok(())
}

fn retries(most: u32) -> String {
    format!("    retries:\n      own: {{ policy: constant, duration: 10ms, maxRetries: {most} }}\n")
}

async fn get(host: &Host) -> Result<Answer> {
    host.dapr("hello")?.get(VALUE).await
}

async fn seen(host: &Host) -> Result<Answer, String> {
    get(host).await.map_err(|error| format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_may_succeed_is_tried_again_as_often_as_the_document_says() -> Result<()> {
    let mut redis = Redis::start(RedisOptions::new()).await;
    let village = Village::new()?;
    let host = start(&village, &redis, &retries(3)).await?;
    assert_eq!(get(&host).await?.status, 204);
    redis.kill();
    let told = |answer: &Answer, wanted: &str| {
        let text = answer.text();
        (answer.status == 500 && text.contains(wanted))
            .then_some(())
            .ok_or(text)
    };
    eventually("four attempts", timely(), async || {
        let answer = seen(&host).await?;
        told(&answer, "4 attempts")
    })
    .await?;
    // A change counts from the next call on.
    policy(&village, &retries(1))?;
    eventually("two attempts", timely(), async || {
        let answer = seen(&host).await?;
        told(&answer, "2 attempts")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_breaker_opens_is_shown_and_closes_again() -> Result<()> {
    let mut redis = Redis::start(RedisOptions::new()).await;
    let village = Village::new()?;
    let breaker = "    circuitBreakers:\n      own: { maxRequests: 1, timeout: 1s, trip: \"consecutiveFailures > 2\" }\n";
    let host = start(&village, &redis, breaker).await?;
    redis.kill();
    eventually("the breaker lets nothing through", timely(), async || {
        let answer = seen(&host).await?;
        let text = answer.text();
        text.contains("circuit breaker").then_some(()).ok_or(text)
    })
    .await?;
    let listed = host
        .berth(["components", "--output", "json"])?
        .run()
        .await?;
    let listed = listed.json();
    let mut all = listed.as_array().into_iter().flatten();
    let shown = all.find(|component| component["name"] == "statestore");
    let breakers = shown.map(|shown| shown["circuitBreakers"].to_string());
    ensure!(
        breakers.is_some_and(|breakers| breakers.contains("pen")),
        "{listed}"
    );
    redis.restart().await;
    eventually("calls succeed again", timely(), async || {
        let answer = seen(&host).await?;
        (answer.status == 204)
            .then_some(())
            .ok_or(answer.to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_breaker_of_an_app_is_shown_among_the_components() -> Result<()> {
    let village = Village::new()?;
    village.app("hello", "hello", "[/hello]", "")?;
    village.app("hostile", "hostile", "[/hostile]", "")?;
    let document = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: own\nspec:\n  policies:\n    \
                    retries:\n      none: { policy: constant, duration: 1ms, maxRetries: 0 }\n    \
                    circuitBreakers:\n      own: { maxRequests: 1, timeout: 10m, trip: \"consecutiveFailures > 2\" }\n  \
                    targets:\n    apps:\n      hostile: { circuitBreaker: own, retry: none }\n";
    village.folder.write("resiliency.yaml", document)?;
    let host = village.host().arg("--app-id").arg("hello").start().await?;
    eventually("the breaker lets nothing through", timely(), async || {
        let door = host.dapr("hello").map_err(|error| format!("{error:#}"))?;
        let answer = door.get("/v1.0/invoke/hostile/method/trap").await;
        let text = answer.map_err(|error| format!("{error:#}"))?.text();
        text.contains("circuit breaker").then_some(()).ok_or(text)
    })
    .await?;
    let listed = host.berth(["components", "--output", "json"])?;
    let listed = listed.run().await?.json();
    let mut all = listed.as_array().into_iter().flatten();
    let shown = all.find(|component| component["type"] == "app" && component["name"] == "hostile");
    let shown = shown.map(|shown| (&shown["status"], &shown["circuitBreakers"][0]));
    let expected = json!({"app": "hello", "direction": "invocation", "state": "open"});
    ensure!(shown == Some((&json!("unhealthy"), &expected)), "{listed}");
    let table = host.berth(["components"])?.run().await?.text();
    ensure!(table.contains("hello invocation open"), "{table}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_policies_under_load_fails_no_call() -> Result<()> {
    let redis = Redis::start(RedisOptions::new()).await;
    let village = Village::new()?;
    let host = Arc::new(start(&village, &redis, &retries(3)).await?);
    let (over, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (host, over, done) = (host.clone(), over.clone(), done.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let answer = get(&host).await?;
                    ensure!(answer.status == 204, "{answer}");
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    for most in 4..10 {
        let before = done.load(Ordering::Relaxed);
        policy(&village, &retries(most))?;
        eventually("calls go on", timely(), async || {
            let now = done.load(Ordering::Relaxed);
            let callers_work = callers.iter().all(|caller| !caller.is_finished());
            (now > before + 200 || !callers_work)
                .then_some(())
                .ok_or("not yet".to_owned())
        })
        .await?;
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    Ok(())
}
