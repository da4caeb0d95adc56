//! What becomes of messages whose handler fails, and what the shop's blocks look like from outside.

use anyhow::Result;
use berth_e2e::{Host, eventually, timely};
use serde_json::{Value, json};

/// The first delivery, and the attempts that the shop's resiliency policy adds.
const ATTEMPTS: u64 = 4;

/// Publishes a review as the shop would get one.
async fn publish(host: &Host, id: &str, text: &str) -> Result<()> {
    let review = json!({ "id": id, "text": text }).to_string();
    let data = format!("--data={review}");
    let publish = [
        "publish",
        "-i",
        "order-service",
        "-p",
        "pubsub",
        "-t",
        "reviews",
        &data,
    ];
    let published = host.berth(publish)?.run().await?;
    assert_eq!(published.code, Some(0), "{published}");
    Ok(())
}

/// Waits until a review has come so often.
async fn comes(host: &Host, id: &str, deliveries: u64) -> Result<()> {
    let path = format!("/reviews/{id}");
    let often = |answer: &berth_e2e::Answer| answer.json()["deliveries"] == deliveries;
    host.client().get_until(&path, often).await?;
    Ok(())
}

async fn dead_reviews(host: &Host) -> Result<Vec<Value>, String> {
    let answer = host.admin().get("/dlq/pubsub/reviews-dlq").await;
    let answer = answer.map_err(|error| format!("{error:#}"))?;
    let letters = answer.json().as_array().cloned();
    letters.ok_or_else(|| answer.to_string())
}

pub async fn a_message_whose_handler_throws_once_comes_again(host: &mut Host) -> Result<()> {
    publish(host, "second", "hesitate").await?;
    comes(host, "second", 2).await?;
    publish(host, "first", "good tea").await?;
    comes(host, "first", 1).await?;
    let review = host.client().get("/reviews/first").await?.json();
    assert_eq!(
        review,
        json!({ "id": "first", "text": "good tea", "deliveries": 1 })
    );
    // Of a topic that nothing was ever sent to there may be no list.
    let letters = dead_reviews(host).await.unwrap_or_default();
    assert!(letters.is_empty(), "{letters:?}");
    Ok(())
}

pub async fn messages_that_break_their_handler_are_dead_letters_however_they_do_it(
    host: &mut Host,
) -> Result<()> {
    let ways = ["throw", "trap", "loop"];
    for way in ways {
        publish(host, way, way).await?;
    }
    eventually("three dead letters", timely(), async || {
        let letters = dead_reviews(host).await?;
        (letters.len() == ways.len())
            .then_some(())
            .ok_or(format!("{letters:?}"))
    })
    .await?;
    for way in ways {
        let review = host.client().get(&format!("/reviews/{way}")).await?.json();
        assert_eq!(review["deliveries"], ATTEMPTS, "{way}: {review}");
    }
    // Whoever comes after them is served.
    publish(host, "after", "good tea").await?;
    comes(host, "after", 1).await
}

pub async fn a_cart_expires(host: &mut Host) -> Result<()> {
    let cart = json!({ "items": ["tea"] });
    assert_eq!(host.client().put("/carts/ada", &cart).await?.status, 200);
    // As another program of the same app sees it.
    let keys = json!({ "keys": ["cart-ada"] });
    let seen = host
        .dapr("order-service")?
        .post("/v1.0/state/statestore/bulk", &keys)
        .await?;
    let stored = &seen.json()[0];
    assert_eq!(stored["data"], cart, "{seen}");
    assert!(stored["metadata"]["ttlExpireTime"].is_string(), "{seen}");
    Ok(())
}
