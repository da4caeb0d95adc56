//! What several tests build: a village of apps on one host.
#![allow(dead_code, reason = "each test uses a part of it")]

use anyhow::{Context, Result};
use berth_e2e::{Folder, Host, HostBuilder, eventually, guest, timely};
use serde_json::{Value, json};

/// Bytes of a mebibyte.
pub const MIB: u64 = 1 << 20;

/// A folder of App documents and what else they need.
pub struct Village {
    /// The documents.
    pub folder: Folder,
}

impl Village {
    /// Nobody lives here yet.
    pub fn new() -> Result<Self> {
        Ok(Self {
            folder: Folder::new()?,
        })
    }

    /// An app with paths and limits in YAML's flow style.
    pub fn app(&self, name: &str, guest_name: &str, paths: &str, limits: &str) -> Result<()> {
        let spec = format!("  http: {{ paths: {paths} }}\n  limits: {{ {limits} }}");
        self.folder.app(name, &guest(guest_name)?, &spec)
    }

    /// A component with metadata as name and value.
    pub fn component(&self, name: &str, kind: &str, metadata: &[(&str, &str)]) -> Result<()> {
        let mut document = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: {kind}\n  version: v1\n"
        );
        if !metadata.is_empty() {
            document.push_str("  metadata:\n");
        }
        for (name, value) in metadata {
            document.push_str(&format!("    - {{ name: {name}, value: \"{value}\" }}\n"));
        }
        self.folder
            .write(&format!("{name}-component.yaml"), document)?;
        Ok(())
    }

    /// A subscription of an app to a topic of `pubsub`, with the dead-letter topic `<topic>-dlq`.
    pub fn subscription(&self, app: &str, topic: &str) -> Result<()> {
        let document = format!(
            "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: {app}-{topic}\nspec:\n  \
             pubsubname: pubsub\n  topic: {topic}\n  routes:\n    default: /on-{topic}\n  \
             deadLetterTopic: {topic}-dlq\nscopes:\n  - {app}\n"
        );
        self.folder
            .write(&format!("{app}-{topic}.yaml"), document)?;
        Ok(())
    }

    /// A host for it, to be completed.
    pub fn host(&self) -> HostBuilder {
        Host::builder().source(self.folder.path())
    }

    /// Starts a host.
    pub async fn start(&self) -> Result<Host> {
        self.host().start().await
    }
}

/// Publishes text as an app, under an event ID.
pub async fn publish(host: &Host, app: &str, topic: &str, id: &str, text: &str) -> Result<()> {
    let path = format!("/publish/pubsub/{topic}?app={app}&metadata.cloudevent.id={id}");
    let request = host.admin().request(reqwest::Method::POST, &path);
    let request = request
        .header("content-type", "text/plain")
        .body(text.to_owned());
    let answer = berth_e2e::Answer::to(request).await?;
    assert_eq!(answer.status, 204, "publishing {id}: {answer}");
    Ok(())
}

/// The dead letters of a topic of `pubsub`.
pub async fn dead_letters(host: &Host, topic: &str) -> Result<Vec<Value>, String> {
    let path = format!("/dlq/pubsub/{topic}");
    let answer = host
        .admin()
        .get(&path)
        .await
        .map_err(|error| format!("{error:#}"))?;
    answer
        .json()
        .as_array()
        .cloned()
        .ok_or_else(|| answer.to_string())
}

/// Whether that many calls of an app are in flight.
pub async fn in_flight(host: &Host, app: &str, wanted: u64) -> Result<(), String> {
    let apps = host.admin().get("/apps").await;
    let apps = apps.map_err(|error| format!("{error:#}"))?.json();
    let mut apps = apps.as_array().into_iter().flatten();
    let found = apps.find(|found| found["appId"] == app);
    let now = found.and_then(|found| found["inFlight"].as_u64());
    if now == Some(wanted) {
        Ok(())
    } else {
        Err(format!("{now:?} calls of {app} are in flight"))
    }
}

/// The status of a backend as `berth components` shows it.
pub async fn status(host: &Host, name: &str) -> Result<String> {
    let listed = host.berth(["components", "--output", "json"])?;
    let listed = listed.run().await?.json();
    let mut all = listed.as_array().into_iter().flatten();
    let found = all.find(|component| component["name"] == name);
    let status = found.and_then(|found| found["status"].as_str());
    Ok(status.context("it is not listed")?.to_owned())
}

/// Waits until `berth components` says so of a backend.
pub async fn becomes(host: &Host, name: &str, wanted: &str) -> Result<()> {
    eventually(
        &format!("{name} is {wanted}"),
        timely(),
        async || match status(host, name).await {
            Ok(status) if status == wanted => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await
}

/// A guest of an SDK sends requests to the outside: to itself by its app ID, and to where it may not.
pub async fn sends_where_it_may(host: &Host, app: &str) -> Result<()> {
    let send = async |to: &str| host.client().get(&format!("/send?to={to}")).await;
    let echoed = send(&format!("http://{app}/echo/a%2520b")).await?;
    assert_eq!(echoed.status, 202, "{echoed}");
    assert_eq!(echoed.header("x-heard"), "yes");
    assert_eq!(echoed.json(), json!({ "rest": "a b", "body": "hello" }));
    // Of a long body, the host takes no more when it has refused.
    for body in ["", "&bytes=4000000"] {
        let denied = send(&format!("http://192.0.2.1/{body}")).await?;
        assert_eq!(
            (denied.status, &denied.json()["error"]),
            (403, &json!("denied")),
            "{denied}"
        );
    }
    Ok(())
}

/// Each path answers so.
pub async fn answers(host: &Host, cases: impl IntoIterator<Item = (&str, Value)>) -> Result<()> {
    for (path, expected) in cases {
        let answer = host.client().get(path).await?;
        assert_eq!(answer.json(), expected, "{path}: {answer}");
    }
    Ok(())
}
