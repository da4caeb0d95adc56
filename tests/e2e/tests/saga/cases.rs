//! The shop's saga: it compensates for a failure at every step, and survives its host.

use anyhow::{Context, Result, ensure};
use berth_e2e::{Client, Host, eventually, order, timely};
use futures::{StreamExt, TryStreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Hands every case to a macro that makes tests of them.
macro_rules! each_case {
    ($tests:ident! { $($place:tt)* }) => {
        $tests! { $($place)*;
            an_order_goes_through_and_the_same_order_is_the_same_saga,
            a_failure_at_any_step_is_compensated_in_reverse_order,
            a_canceled_saga_undoes_what_it_did,
            sagas_survive_their_host_at_every_step,
        }
    };
}
pub(crate) use each_case;

/// From here on an order waits for approval.
const LARGE_CENTS: u64 = 100_000;

async fn stock(shop: &Client, sku: &str, qty: u64) -> Result<()> {
    let path = format!("/inventory/{sku}");
    let answer = shop.put(&path, &json!({ "qty": qty })).await?;
    ensure!(answer.status == 200, "{answer}");
    Ok(())
}

async fn left(shop: &Client, sku: &str) -> Result<Value> {
    Ok(shop.get(&format!("/inventory/{sku}")).await?.json()["qty"].clone())
}

async fn start(shop: &Client, order: &Value) -> Result<()> {
    let answer = shop.post("/sagas", order).await?;
    ensure!(answer.status == 202, "{answer}");
    ensure!(answer.json()["instanceId"] == order["orderId"], "{answer}");
    Ok(())
}

/// Waits until a saga shows these.
async fn becomes(shop: &Client, id: &str, wanted: &[(&str, &str)]) -> Result<Value> {
    eventually(&format!("saga {id}: {wanted:?}"), timely(), async || {
        let answer = shop.get(&format!("/sagas/{id}")).await;
        let answer = answer.map_err(|error| format!("{error:#}"))?;
        let saga = answer.json();
        let all = wanted.iter().all(|(field, value)| saga[*field] == *value);
        all.then_some(saga).ok_or(answer.to_string())
    })
    .await
}

/// What was done, in order, each effect once.
async fn effects(shop: &Client, id: &str) -> Result<Vec<String>> {
    let ledger = shop.get(&format!("/sagas/{id}/ledger")).await?.json();
    let entries = ledger["entries"].as_array().context("a list")?;
    let effect = |entry: &Value| entry["effect"].as_str().unwrap_or_default().to_owned();
    Ok(entries.iter().map(effect).collect())
}

fn large(id: &str, customer: &str, sku: &str) -> Value {
    let mut order = order(id, customer, sku, 2);
    order["totalCents"] = json!(LARGE_CENTS);
    order
}

pub async fn an_order_goes_through_and_the_same_order_is_the_same_saga(
    host: &mut Host,
) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 10).await?;
    let order = order("one", "ada", "tea", 2);
    for _ in 0..5 {
        start(shop, &order).await?;
    }
    let done = becomes(
        shop,
        "one",
        &[("status", "completed"), ("step", "confirmed")],
    )
    .await?;
    ensure!(done["result"]["status"] == "confirmed", "{done}");
    ensure!(effects(shop, "one").await? == ["reserve", "pay", "fulfil"]);
    ensure!(left(shop, "tea").await? == 8);
    eventually("the customer is told", timely(), async || {
        let told = shop.get("/notifications/one").await;
        let told = told.map_err(|error| format!("{error:#}"))?;
        (told.json()["sent"] == 1)
            .then_some(())
            .ok_or(told.to_string())
    })
    .await?;
    let unknown = shop.get("/sagas/none").await?;
    ensure!(unknown.status == 404, "{unknown}");
    let wrong = shop.post("/sagas", &json!({ "orderId": "x" })).await?;
    ensure!(wrong.status == 400, "{wrong}");
    Ok(())
}

pub async fn a_failure_at_any_step_is_compensated_in_reverse_order(host: &mut Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 10).await?;
    for (id, customer, qty, error, done) in [
        ("much", "ada", 99, "out-of-stock", &["release"][..]),
        (
            "poor",
            "broke",
            2,
            "payment-refused",
            &["reserve", "refund", "release"],
        ),
        (
            "gone",
            "moved",
            2,
            "no-address",
            &["reserve", "pay", "refund", "release"],
        ),
    ] {
        start(shop, &order(id, customer, "tea", qty)).await?;
        let failed = becomes(shop, id, &[("status", "failed"), ("step", "undone")]).await?;
        ensure!(failed["failure"]["error"] == error, "{failed}");
        let effects = effects(shop, id).await?;
        ensure!(effects == done, "{id}: {effects:?}");
        ensure!(left(shop, "tea").await? == 10, "{id}");
    }
    Ok(())
}

pub async fn a_canceled_saga_undoes_what_it_did(host: &mut Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 10).await?;
    start(shop, &large("big", "ada", "tea")).await?;
    becomes(shop, "big", &[("step", "waiting for approval")]).await?;
    ensure!(left(shop, "tea").await? == 8);
    let canceled = shop.request(Method::DELETE, "/sagas/big").send().await?;
    ensure!(canceled.status() == 202, "{canceled:?}");
    becomes(shop, "big", &[("status", "canceled"), ("step", "undone")]).await?;
    ensure!(left(shop, "tea").await? == 10);
    // It has ended: asked again, nothing happens.
    let again = shop.request(Method::DELETE, "/sagas/big").send().await?;
    ensure!(again.status() == 202, "{again:?}");
    ensure!(effects(shop, "big").await? == ["reserve", "release"]);
    Ok(())
}

pub async fn sagas_survive_their_host_at_every_step(host: &mut Host) -> Result<()> {
    const SAGAS: usize = 60;
    const KILLS: usize = 6;
    let seed = rand::random();
    eprintln!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    // One alone would make every saga wait for the one before it.
    const SKUS: usize = 20;
    let sku = |number: usize| format!("tea-{}", number % SKUS);
    for number in 0..SKUS {
        stock(host.client(), &sku(number), 1_000).await?;
    }
    let customer = |number: usize| ["ada", "broke", "moved", "ada"][number % 4];
    let starting = stream::iter(0..SAGAS).map(|number| {
        let shop = host.client().clone();
        async move {
            start(
                &shop,
                &large(&format!("s{number}"), customer(number), &sku(number)),
            )
            .await
        }
    });
    starting
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await?;
    for number in 0..SAGAS {
        let waits = [("step", "waiting for approval")];
        becomes(host.client(), &format!("s{number}"), &waits).await?;
    }
    host.restart().await?;
    let approving = stream::iter(0..SAGAS).map(|number| {
        let shop = host.client().clone();
        async move {
            let path = format!("/sagas/s{number}/approve");
            let answer = shop.post(&path, &Value::Null).await?;
            ensure!(answer.status == 202, "{answer}");
            Ok(())
        }
    });
    approving
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await?;
    for _ in 0..KILLS {
        // Any moment is as good as another.
        tokio::time::sleep(Duration::from_millis(random.random_range(1..80))).await;
        host.restart().await?;
    }
    let mut sold = 0;
    for number in 0..SAGAS {
        let id = format!("s{number}");
        let (status, expected): (_, &[&str]) = match customer(number) {
            "ada" => ("completed", &["reserve", "pay", "fulfil"]),
            "broke" => ("failed", &["reserve", "refund", "release"]),
            _ => ("failed", &["reserve", "pay", "refund", "release"]),
        };
        becomes(host.client(), &id, &[("status", status)]).await?;
        let effects = effects(host.client(), &id).await?;
        ensure!(effects == expected, "{id}: {effects:?}");
        sold += u64::from(status == "completed") * 2;
    }
    let mut missing = 0;
    for number in 0..SKUS {
        let left = left(host.client(), &sku(number)).await?;
        missing += 1_000 - left.as_u64().context("a number")?;
    }
    ensure!(missing == sold, "{missing} are missing, {sold} were sold");
    no_dead_letters(host).await
}

async fn no_dead_letters(host: &Host) -> Result<()> {
    let audit = host.client().get("/audit").await?;
    ensure!(audit.json() == json!([]), "{audit}");
    Ok(())
}
