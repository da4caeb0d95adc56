//! Messages whose handlers misbehave.

mod common;

use anyhow::Result;
use berth_e2e::{Host, Neighbour, eventually, timely};
use common::{Village, dead_letters, publish};
use serde_json::Value;
use std::time::Duration;

/// `hostile` subscribes to `work`; `hello` is its neighbour.
fn village(limits: &str) -> Result<Village> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/hostile]", limits)?;
    village.app("hello", "hello", "[/hello]", "")?;
    village.subscription("hostile", "work")?;
    Ok(village)
}

fn with_retries(village: &Village, retries: u32) -> Result<()> {
    let document = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: retries\nspec:\n  policies:\n    retries:\n      \
         soon: {{ policy: constant, duration: 50ms, maxRetries: {retries} }}\n  targets:\n    components:\n      \
         pubsub: {{ inbound: {{ retry: soon }} }}\n"
    );
    village.folder.write("resiliency.yaml", document)?;
    Ok(())
}

async fn dead_letter(host: &Host) -> Result<Value> {
    eventually("one dead letter", timely(), async || {
        let letters = dead_letters(host, "work-dlq").await?;
        match letters.as_slice() {
            [letter] => Ok(letter.clone()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

fn handled(host: &Host, id: &str) -> usize {
    let line = format!("handled {id}");
    host.log()
        .iter()
        .filter(|record| record.message() == line)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_crashes_its_handler_every_time_ends_as_a_dead_letter() -> Result<()> {
    let village = village("")?;
    with_retries(&village, 2)?;
    let host = village.start().await?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    publish(&host, "hostile", "work", "bad", "crash").await?;
    publish(&host, "hostile", "work", "good", "fine").await?;
    let letter = dead_letter(&host).await?;
    let mark = |name: &str| {
        letter["metadata"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(mark("deadLetterOriginalTopic"), "work", "{letter}");
    assert_eq!(
        (mark("deadLetterApp"), mark("deadLetterAttempts")),
        ("hostile".into(), "3".into())
    );
    assert!(mark("deadLetterReason").contains("trap"), "{letter}");
    // One message that nobody can handle holds up no other.
    eventually("the other message", timely(), async || {
        match handled(&host, "good") {
            1 => Ok(()),
            times => Err(format!("handled {times} times")),
        }
    })
    .await?;
    neighbour.is_well().await?;
    let labels = ["app=\"hostile\"", "reason=\"trap\""];
    assert_eq!(
        host.metric("berth_guest_failures_total", &labels).await?,
        3.0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_the_first_failure_is_the_last() -> Result<()> {
    let host = village("cpuTime: 200ms")?.start().await?;
    publish(&host, "hostile", "work", "endless", "loop").await?;
    let letter = dead_letter(&host).await?;
    assert_eq!(letter["metadata"]["deadLetterAttempts"], "1", "{letter}");
    let reason = letter["metadata"]["deadLetterReason"]
        .as_str()
        .unwrap_or_default();
    assert!(reason.contains("cpu-time"), "{letter}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_slower_than_its_lease_has_the_message_alone() -> Result<()> {
    let village = village("timeout: 60s")?;
    let database = village.folder.path().join("queue.db");
    let database = database.to_string_lossy();
    let metadata = [("connectionString", &*database), ("leaseDuration", "1s")];
    village.component("pubsub", "pubsub.sqlite", &metadata)?;
    let host = village.start().await?;
    publish(&host, "hostile", "work", "slow", "slow:5000").await?;
    let once = async |what: &str| {
        eventually(what, timely(), async || match handled(&host, "slow") {
            0 => Err("not handled yet".to_owned()),
            _ => Ok(()),
        })
        .await
    };
    once("the slow message is handled").await?;
    // Whatever would come a second time comes before this one is done.
    publish(&host, "hostile", "work", "later", "slow:2000").await?;
    eventually(
        "the later message is handled",
        timely(),
        async || match handled(&host, "later") {
            1 => Ok(()),
            times => Err(format!("handled {times} times")),
        },
    )
    .await?;
    assert_eq!((handled(&host, "slow"), handled(&host, "later")), (1, 1));
    assert_eq!(
        host.metric("berth_guest_calls_total", &["app=\"hostile\""])
            .await?,
        2.0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_messages_beyond_what_an_app_may_run_is_handled_whole() -> Result<()> {
    const MESSAGES: usize = 200;
    let host = village("concurrency: 2, queue: 0, timeout: 10s")?
        .start()
        .await?;
    for number in 0..MESSAGES {
        publish(
            &host,
            "hostile",
            "work",
            &format!("burst-{number}"),
            "slow:10",
        )
        .await?;
    }
    eventually("every message", Duration::from_secs(120), async || {
        let done = (0..MESSAGES)
            .filter(|number| handled(&host, &format!("burst-{number}")) == 1)
            .count();
        if done == MESSAGES {
            Ok(())
        } else {
            Err(format!("{done} are handled"))
        }
    })
    .await?;
    assert_eq!(
        dead_letters(&host, "work-dlq")
            .await
            .map_err(anyhow::Error::msg)?,
        Vec::<Value>::new()
    );
    Ok(())
}
