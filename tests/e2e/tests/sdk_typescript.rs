//! Programs for Dapr's JavaScript SDK as guests: two that nobody changed.

mod common;

use anyhow::{Context, Result};
use berth_e2e::{Answer, Client, Host, eventually, guest, timely};
use common::{Village, dead_letters};
use serde_json::{Value, json};

const LIMITS: &str = "  limits: { memory: 256Mi, cpuTime: 60s, timeout: 120s }";
/// Calls that an instance serves: an instance of one call has another HTTP door than the others.
const REUSES: [u32; 2] = [1, 1_000];

/// A host with both programs; the same guest is the inventory service that they call, in a fresh instance. They are one guest,
/// which is compiled once.
async fn programs(reuse: u32) -> Result<Host> {
    let village = Village::new()?;
    let guest = guest("sdk-typescript")?;
    let settings = format!(
        "{LIMITS}\n  instances: {{ reuse: {reuse} }}\n  http: {{ paths: [/call] }}\n  allow: {{ env: {{ GREETING: hello }} }}"
    );
    village.folder.app("programs", &guest, &settings)?;
    let settings = format!("{LIMITS}\n  http: {{ paths: [/released] }}");
    village.folder.app("inventory-service", &guest, &settings)?;
    let secrets = village
        .folder
        .write("secrets.json", r#"{"stripe-secret-key": "s3cret"}"#)?;
    let secrets = secrets.to_string_lossy();
    let kind = "secretstores.local.file";
    village.component("secretstore", kind, &[("secretsFile", &secrets)])?;
    village.folder.write(
        "resiliency.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: retries\nspec:\n  policies:\n    retries:\n      \
         soon: { policy: constant, duration: 100ms, maxRetries: 20 }\n  targets:\n    components:\n      \
         pubsub: { inbound: { retry: soon } }\n",
    )?;
    village.host().baseline().start().await
}

/// Calls a function of the programs and gives its result.
async fn call(host: &Host, name: &str, arguments: Value) -> Result<Value> {
    let answer = answer(host.client(), name, &arguments).await?;
    let mut answer = answer.json();
    assert_eq!(answer["error"], Value::Null, "{name}({arguments})");
    Ok(answer["result"].take())
}

async fn answer(client: &Client, name: &str, arguments: &Value) -> Result<Answer> {
    let answer = client.post(&format!("/call/{name}"), arguments).await?;
    assert_eq!(answer.status, 200, "{name}({arguments}): {answer}");
    Ok(answer)
}

fn order(id: &str, customer: &str, sku: &str) -> Value {
    json!({ "id": id, "customerId": customer, "items": [{ "sku": sku, "qty": 1 }], "totalCents": 100 })
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_instances_of_an_engine_find_their_pages_in_memory() -> Result<()> {
    let village = Village::new()?;
    let settings = format!("{LIMITS}\n  http: {{ paths: [/call] }}");
    village
        .folder
        .app("programs", &guest("sdk-typescript")?, &settings)?;
    let host = village.host().baseline().start().await?;
    let client = host.client();
    // The host looks when it has served a power of two.
    for _ in 0..64 {
        refused(client).await?;
    }
    let before = host.memory()?.faults;
    for _ in 0..100 {
        refused(client).await?;
    }
    // An instance writes to nearly two hundred pages.
    let faults = (host.memory()?.faults - before) / 100;
    assert!(faults < 25, "{faults} page faults in a call");
    Ok(())
}

/// Calls what the program does not have: the least that an instance can be asked for.
async fn refused(client: &Client) -> Result<()> {
    let answer = client.get("/call").await?;
    assert_eq!(answer.status, 404, "{answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_an_unchanged_program_work() -> Result<()> {
    for reuse in REUSES {
        let host = programs(reuse).await?;
        let items = json!([{ "sku": "tea", "qty": 2 }]);
        let reserved = call(&host, "reserve", json!([items])).await?;
        assert_eq!(
            reserved,
            json!({ "reserved": true, "reservationId": "r-tea" })
        );

        call(&host, "saveCart", json!(["ada", items])).await?;
        assert_eq!(
            call(&host, "cart", json!(["ada"])).await?,
            json!({ "items": items })
        );
        assert_eq!(call(&host, "cart", json!(["nobody"])).await?, "");

        assert_eq!(call(&host, "apiKey", json!([])).await?, "s3cret");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_handler_throws_once_is_delivered_again() -> Result<()> {
    let host = programs(1_000).await?;
    call(
        &host,
        "publishPlaced",
        json!([order("first", "ada", "tea")]),
    )
    .await?;
    // The other app is the same guest, and subscribes as well.
    let said = |text: &str| {
        let log = host.log();
        let of_app = log.iter().filter(|record| record.get("app") == "programs");
        of_app
            .filter(|record| record.message().contains(text))
            .count()
    };
    eventually("the second delivery", timely(), async || {
        match said("notified first") {
            1 => Ok(()),
            times => Err(format!("notified {times} times")),
        }
    })
    .await?;
    assert!(
        said("deliver it again") >= 1,
        "the handler has thrown before"
    );
    let letters = dead_letters(&host, "orders-dlq").await;
    assert!(letters.is_err() || letters.is_ok_and(|letters| letters.is_empty()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_saga_of_an_unchanged_program_pays_or_puts_back() -> Result<()> {
    let host = programs(1_000).await?;
    let outcomes = [
        (
            order("paid", "ada", "tea"),
            json!({ "success": true, "orderId": "paid" }),
        ),
        (
            order("unpaid", "broke", "cup"),
            json!({ "success": false, "reason": "Payment failed" }),
        ),
        (
            order("empty", "ada", "nothing"),
            json!({ "success": false, "reason": "Out of stock" }),
        ),
    ];
    for (order, outcome) in outcomes {
        let output = call(&host, "officialMain", json!([order])).await?;
        let output = output
            .as_str()
            .with_context(|| format!("no output of {order}"))?;
        assert_eq!(serde_json::from_str::<Value>(output)?, outcome);
    }
    let released = |id: &'static str| host.client().get(id);
    assert_eq!(
        released("/released/r-cup").await?.json(),
        json!({ "released": true })
    );
    assert_eq!(
        released("/released/r-tea").await?.json(),
        json!({ "released": "" })
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idioms_of_guides_work() -> Result<()> {
    let host = programs(1_000).await?;
    call(&host, "updateCart", json!(["ada", { "note": "x" }])).await?;
    let cart = json!({ "items": ["tea"] });
    // Both programs have a `saveCart`: the second is that of the guide, which keeps the cart as it is.
    call(&host, "guideSaveCart", json!(["ada", cart])).await?;
    let updated = call(&host, "updateCart", json!(["ada", { "note": "wrap it" }])).await?;
    assert_eq!(updated, json!({ "items": ["tea"], "note": "wrap it" }));
    call(&host, "release", json!(["r-9"])).await?;
    assert_eq!(
        host.client().get("/released/r-9").await?.json(),
        json!({ "released": true })
    );

    let state = call(&host, "guideMain", json!([])).await?;
    assert_eq!(state["output"], json!({ "success": false }), "{state}");
    assert_eq!(
        host.client().get("/released/r-1").await?.json(),
        json!({ "released": true })
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_programs_expect_of_node_is_there() -> Result<()> {
    for reuse in REUSES {
        let host = programs(reuse).await?;
        let first = call(&host, "surroundings", json!([])).await?;
        let second = call(&host, "surroundings", json!([])).await?;
        for seen in [&first, &second] {
            assert_eq!(seen["greeting"], "hello", "{seen}");
            assert!(
                seen["year"].as_u64() > Some(2024) && seen["waited"] == true,
                "{seen}"
            );
            assert_eq!(seen["fetched"], 200, "{seen}");
        }
        // Instances begin with one memory: what is random must not be in it.
        assert_ne!(first["uuid"], second["uuid"]);
        assert_ne!(first["random"], second["random"]);
    }
    Ok(())
}
