//! The contract in every language: each guest calls every function and says what it found.

mod common;

use anyhow::{Context, Result};
use berth_e2e::{Answer, Host, eventually, guest, repository, timely};
use berth_servers::Collector;
use common::{Village, dead_letters, publish};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;

/// The names of the checks, in order, from the page that every contract guest follows.
fn specified() -> Result<Vec<String>> {
    let page = fs::read_to_string(repository().join("tests/guests/contract/README.md"))?;
    let (_, checks) = page
        .split_once("## Checks")
        .context("no checks on the page")?;
    let names = checks
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    Ok(names.map(str::to_owned).collect())
}

macro_rules! contract {
    ($($language:ident: $name:literal),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $language() -> Result<()> {
                the_whole_contract_holds($name).await
            }
        )+
    };
}

contract!(
    a_guest_in_rust: "contract-rust",
    a_guest_in_c: "contract-c",
    a_guest_in_go: "contract-go",
    a_guest_in_javascript: "contract-js",
    a_guest_in_python: "contract-python",
);

async fn the_whole_contract_holds(name: &str) -> Result<()> {
    let village = Village::new()?;
    let limits = "  limits: { memory: 256Mi, cpuTime: 60s, timeout: 60s }";
    village.folder.app("contract", &guest(name)?, limits)?;
    let secrets = village
        .folder
        .write("secrets.json", r#"{"contract-secret": "s3cret"}"#)?;
    let secrets = secrets.to_string_lossy();
    village.component(
        "secretstore",
        "secretstores.local.file",
        &[("secretsFile", &secrets)],
    )?;
    let collector = Collector::start().await;
    let config = village.folder.write(
        "tracing.yaml",
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: traced }}\nspec:\n  tracing:\n    \
             samplingRate: \"1\"\n    otel: {{ protocol: http, isSecure: false, endpointAddress: \"127.0.0.1:{}\" }}\n",
            collector.port()
        ),
    )?;
    let host = village.host().arg("--config").arg(&config).start().await?;

    // Twice: nothing that a run leaves may disturb the next one.
    for run in ["one", "two"] {
        checks_pass(&host, run).await?;
        messages_arrive(&host, run).await?;
        spans_arrive(&collector, run).await?;
    }
    drops_are_dead_letters(&host).await
}

async fn checks_pass(host: &Host, run: &str) -> Result<()> {
    let request = host.client().request(Method::POST, "/contract");
    let request = request
        .header("x-app-id", "contract")
        .header("x-run-id", run);
    let answer = Answer::to(request).await?;
    assert_eq!(answer.status, 200, "{answer}");
    let checks = answer.json().as_array().cloned().unwrap_or_default();
    let failed: Vec<&Value> = checks.iter().filter(|check| check["ok"] != true).collect();
    assert_eq!(failed, Vec::<&Value>::new());
    let names = checks
        .iter()
        .map(|check| check["check"].as_str().unwrap_or_default());
    assert_eq!(names.collect::<Vec<_>>(), specified()?);
    Ok(())
}

async fn messages_arrive(host: &Host, run: &str) -> Result<()> {
    let expected = [
        (
            "plain",
            "com.dapr.event.sent",
            "contract",
            "default",
            "hello",
        ),
        ("special", "special", "contract", "special", r#"{"n":1}"#),
        ("whole", "special", "elsewhere", "special", "whole"),
        ("bulk-1", "com.dapr.event.sent", "contract", "default", ""),
        ("bulk-2", "com.dapr.event.sent", "contract", "default", ""),
    ];
    for (name, kind, source, route, data) in expected {
        let id = format!("{run}-{name}");
        let path = format!("/received/{id}");
        let received = host
            .client()
            .get_until(&path, |answer| answer.status == 200)
            .await?
            .json();
        let mut wanted = json!({
            "id": id, "type": kind, "source": source, "route": route, "attempt": 1, "data": data,
        });
        if name.starts_with("bulk") {
            wanted["data"] = received["data"].clone();
        }
        assert_eq!(received, wanted);
    }
    Ok(())
}

/// What the guest adds to traces reaches a collector.
async fn spans_arrive(collector: &Collector, run: &str) -> Result<()> {
    eventually("the spans of the guest", timely(), async || {
        let spans = collector.spans();
        let request = spans
            .iter()
            .find(|span| span.attributes.get("contract").is_some_and(|id| id == run))
            .ok_or("no request")?;
        let own = spans
            .iter()
            .find(|span| {
                span.name == "contract-span" && span.parent_id.as_ref() == Some(&request.span_id)
            })
            .ok_or("no span")?;
        let attributes = ["text", "integer", "number", "boolean"]
            .map(|name| own.attributes.get(name).map_or("", String::as_str));
        let events = (&*own.events, &*request.events);
        let expected = (["t", "2", "0.5", "true"], ("checked", "contract-event"));
        if attributes == expected.0
            && own.events == [expected.1.0]
            && request.events == [expected.1.1]
        {
            Ok(())
        } else {
            Err(format!("{attributes:?} {events:?}"))
        }
    })
    .await
}

async fn drops_are_dead_letters(host: &Host) -> Result<()> {
    // Without a policy, a message to be retried is dead at once.
    for (id, data) in [("dropped", "drop"), ("retried", "retry")] {
        publish(host, "contract", "contract", id, data).await?;
        host.client()
            .get_until(&format!("/received/{id}"), |answer| answer.status == 200)
            .await?;
    }
    eventually("two dead letters", timely(), async || {
        let letters = dead_letters(host, "contract-dlq").await?;
        if letters.len() == 2 {
            Ok(())
        } else {
            Err(format!("{letters:?}"))
        }
    })
    .await
}
