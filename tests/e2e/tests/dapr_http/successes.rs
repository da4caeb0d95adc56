//! Every row that succeeds.

use crate::common::Village;
use anyhow::Result;
use berth_e2e::{Answer, Client, Host, guest};
use reqwest::Method;
use serde_json::{Value, json};

const CONFIGURED: &str = r"
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: secretstore }
spec:
  type: secretstores.local.file
  version: v1
  metadata: [{ name: secretsFile, value: SECRETS }]
";

/// A topic may hold slashes.
const SUBSCRIPTION: &str = r"
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: { name: orders }
spec:
  pubsubname: pubsub
  topic: orders/new
  routes:
    rules: [{ match: event.type == 'none', path: /none }]
    default: /on-order
  deadLetterTopic: dead-orders
scopes: [hostile]
";

async fn start() -> Result<(Village, Host)> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    village.folder.app("hello", &guest("hello")?, "")?;
    village.component("statestore", "state.sqlite", &[])?;
    village.component("pubsub", "pubsub.sqlite", &[])?;
    village.folder.write("subscription.yaml", SUBSCRIPTION)?;
    let secrets = village
        .folder
        .write("secrets.json", r#"{ "one": "1", "two": "2" }"#)?;
    let secretstore = CONFIGURED.replace("SECRETS", &secrets.display().to_string());
    village.folder.write("secretstore.yaml", secretstore)?;
    let host = village
        .host()
        .arg("--app-id")
        .arg("hostile")
        .start()
        .await?;
    Ok((village, host))
}

async fn send(door: &Client, method: &str, path: &str, body: &str) -> Result<Answer> {
    let request = door.request(Method::from_bytes(method.as_bytes())?, path);
    Answer::to(request.body(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_kept_as_dapr_keeps_it() -> Result<()> {
    let (_village, host) = start().await?;
    let door = host.dapr("hostile")?;
    let store = "/v1.0/state/statestore";
    for (method, body) in [
        ("POST", "[]"),
        ("PUT", "null"),
        ("PUT", r#"[{"key": "empty"}]"#),
    ] {
        let saved = send(door, method, store, body).await?;
        assert_eq!((saved.status, saved.body.len()), (204, 0), "{body}");
    }
    let body = r#"[
        {"key": "text", "value": "a b"},
        {"key": "object", "value": { "b" : [1, 2.50, 12345678901234567890], "a": "x" }, "metadata": {"ttlInSeconds": "60"}},
        {"key": "typed", "value": 1, "contentType": "application/vnd.shop+json"},
        {"key": "a/b c", "value": true}
    ]"#;
    assert_eq!(send(door, "POST", store, body).await?.status, 204);
    let get = async |key: &str| door.get(&format!("{store}/{key}")).await;
    assert_eq!(get("empty").await?.text(), "null");
    assert_eq!(get("text").await?.text(), "\"a b\"");
    assert_eq!(get("a%2Fb+c").await?.text(), "true");
    let object = get("object?consistency=strong").await?;
    assert_eq!(
        object.text(),
        r#"{"b":[1,2.50,12345678901234567890],"a":"x"}"#
    );
    assert_eq!(object.header("content-type"), "application/json");
    assert!(object.header("metadata.ttlexpiretime").ends_with('Z'));
    assert!(!object.header("etag").is_empty());
    assert_eq!(
        get("typed").await?.header("content-type"),
        "application/vnd.shop+json"
    );
    let missing = get("missing").await?;
    assert_eq!((missing.status, missing.body.len()), (204, 0));
    // What a path looks like does not matter.
    for path in [
        "//v1.0//state/statestore//text",
        "/v1.0/state/statestore/text/",
        "/v1.0/./state/x/../statestore/text",
    ] {
        let mut wire = berth_e2e::Wire::connect(door.address()).await?;
        wire.get(path).await?;
        assert_eq!(wire.head().await?.status, 200, "{path}");
    }
    // Stored under the caller's prefix.
    let other = host.dapr("hostile")?;
    assert_eq!(other.get(&format!("{store}/text")).await?.text(), "\"a b\"");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn etags_and_first_write_decide_who_wins() -> Result<()> {
    let (_village, host) = start().await?;
    let door = host.dapr("hostile")?;
    let store = "/v1.0/state/statestore";
    let save =
        async |item: Value| Ok::<_, anyhow::Error>(door.post(store, &json!([item])).await?.status);
    let etag = async || {
        let answer = door.get(&format!("{store}/k")).await?;
        anyhow::Ok(answer.header("etag").to_owned())
    };
    let first = json!({ "concurrency": "first-write" });
    assert_eq!(
        save(json!({ "key": "k", "value": 1, "options": first })).await?,
        204
    );
    assert_eq!(
        save(json!({ "key": "k", "value": 2, "options": first })).await?,
        409
    );
    let read = etag().await?;
    assert_eq!(
        save(json!({ "key": "k", "value": 3, "etag": read })).await?,
        204
    );
    assert_eq!(
        save(json!({ "key": "k", "value": 4, "etag": read })).await?,
        409
    );
    let last = json!({ "concurrency": "last-write", "consistency": "eventual" });
    assert_eq!(
        save(json!({ "key": "k", "value": 5, "etag": read, "options": last })).await?,
        204
    );
    assert_eq!(
        save(json!({ "key": "k", "value": 6, "etag": "" })).await?,
        204
    );
    let delete = async |etag: Option<&str>, query: &str| {
        let request = door.request(Method::DELETE, &format!("{store}/k{query}"));
        let request = match etag {
            Some(etag) => request.header("if-match", etag),
            None => request,
        };
        anyhow::Ok(Answer::to(request).await?.status)
    };
    assert_eq!(delete(Some(&read), "").await?, 409);
    assert_eq!(
        delete(Some(&read), "?concurrency=last-write&consistency=strong").await?,
        204
    );
    assert_eq!(delete(None, "").await?, 204, "it is not there any more");
    assert_eq!(save(json!({ "key": "k", "value": 1 })).await?, 204);
    assert_eq!(delete(Some(&etag().await?), "").await?, 204);
    assert_eq!(door.get(&format!("{store}/k")).await?.status, 204);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_read_and_changed_at_once() -> Result<()> {
    let (_village, host) = start().await?;
    let door = host.dapr("hostile")?;
    let transaction = json!({
        "operations": [
            { "operation": "upsert", "request": { "key": "a", "value": { "n": 1 } } },
            { "operation": "upsert", "request": { "key": "b", "value": "two" } },
            { "operation": "upsert", "request": { "key": "gone", "value": 3 } },
            { "operation": "delete", "request": { "key": "gone" } },
        ],
        "metadata": null,
    });
    let path = "/v1.0/state/statestore/transaction";
    assert_eq!(door.post(path, &transaction).await?.status, 204);
    assert_eq!(
        door.put(path, &json!({ "operations": [] })).await?.status,
        204
    );
    let keys = json!({ "keys": ["a", "gone", "b"], "parallelism": 2 });
    let read = door
        .post("/v1.0/state/statestore/bulk?metadata.x=y", &keys)
        .await?;
    assert_eq!(
        (read.status, read.header("content-type")),
        (200, "application/json")
    );
    let mut found = read.json();
    for place in [0_usize, 2] {
        let etag = found[place]
            .as_object_mut()
            .and_then(|entry| entry.remove("etag"));
        assert!(etag.is_some_and(|etag| etag.is_string()), "{read}");
    }
    assert_eq!(
        found,
        json!([{ "key": "a", "data": { "n": 1 } }, { "key": "gone" }, { "key": "b", "data": "two" }])
    );
    let none = door.post("/v1.0/state/statestore/bulk", &json!({})).await?;
    assert_eq!((none.status, none.text()), (200, "[]".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_reach_their_subscriber() -> Result<()> {
    let (_village, host) = start().await?;
    let door = host.dapr("hostile")?;
    let topic = "/v1.0/publish/pubsub/orders/new?metadata.cloudevent.id=";
    for (method, id) in [("POST", "one"), ("PUT", "two")] {
        let published = send(door, method, &format!("{topic}{id}"), "text").await?;
        assert_eq!(
            (published.status, published.body.len()),
            (204, 0),
            "{published}"
        );
    }
    let entry = |id: &str| {
        json!({
            "entryId": id, "event": { "any": "thing" }, "contentType": "application/json",
            "metadata": { "cloudevent.id": id },
        })
    };
    for (path, entries) in [
        (
            "/v1.0/publish/bulk/pubsub/orders/new",
            json!([entry("three"), entry("four")]),
        ),
        (
            "/v1.0-alpha1/publish/bulk/pubsub/orders/new",
            json!([entry("five")]),
        ),
        ("/v1.0/publish/bulk/pubsub/orders/new", json!([])),
    ] {
        let published = door.post(path, &entries).await?;
        assert_eq!(published.status, 204, "{published}");
    }
    let event =
        json!({ "id": "six", "specversion": "1.0", "type": "t", "source": "s", "data": "x" });
    let request = door.request(Method::POST, "/v1.0/publish/pubsub/orders/new");
    let request = request.header("content-type", "application/cloudevents+json");
    assert_eq!(
        Answer::to(request.body(event.to_string())).await?.status,
        204
    );
    for id in ["one", "two", "three", "four", "five", "six"] {
        let line = format!("handled {id}");
        host.logged(&line, |record| record.message() == line)
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_given_one_by_one_and_all_at_once() -> Result<()> {
    let (_village, host) = start().await?;
    let door = host.dapr("hostile")?;
    let one = door
        .get("/v1.0/secrets/secretstore/one?metadata.version_id=3")
        .await?;
    assert_eq!((one.status, one.json()), (200, json!({ "one": "1" })));
    let all = door.get("/v1.0/secrets/secretstore/bulk").await?;
    assert_eq!(
        (all.status, all.json()),
        (200, json!({ "one": { "one": "1" }, "two": { "two": "2" } }))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_are_called_by_path_by_header_and_by_credentials() -> Result<()> {
    let (_village, host) = start().await?;
    let door = host.dapr("hostile")?;
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"] {
        let path = "/v1.0/invoke/hostile/method/random";
        let answer = send(door, method, path, "").await?;
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 32),
            "{method}: {answer}"
        );
    }
    let echo = send(
        door,
        "POST",
        "/v1.0/invoke/hostile.default/method/echo",
        "ping",
    )
    .await?;
    assert_eq!(echo.text(), "ping");
    // The status and the body of the app are its own affair.
    let own = door
        .get("/v1.0/invoke/hostile/method/none/of/these")
        .await?;
    assert_eq!((own.status, own.text()), (404, "not found".to_owned()));
    let headers = door.get("/v1.0/invoke/hostile/method/headers?n=3").await?;
    assert!(headers.headers.contains_key("x-3") && !headers.headers.contains_key("x-4"));
    // Another app, in three ways.
    let by_path = door.get("/v1.0/invoke/hello/method/").await?;
    let by_header = Answer::to(
        door.request(Method::GET, "/any")
            .header("dapr-app-id", "hello"),
    )
    .await?;
    let by_credentials = Answer::to(
        door.request(Method::GET, "/any")
            .basic_auth("dapr-app-id", Some("hello")),
    )
    .await?;
    for answer in [by_path, by_header, by_credentials] {
        assert_eq!(answer.text(), "Hello, world!\n", "{answer}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_says_what_the_caller_has() -> Result<()> {
    let (_village, host) = start().await?;
    let door = host.dapr("hostile")?;
    assert_eq!(
        send(door, "PUT", "/v1.0/metadata/cliPID", "42")
            .await?
            .status,
        204
    );
    let metadata = door.get("/v1.0/metadata").await?.json();
    assert_eq!(metadata["id"], "hostile");
    assert_eq!(metadata["extended"]["cliPID"], "42");
    assert_eq!(
        metadata["extended"]["daprRuntimeVersion"],
        metadata["runtimeVersion"]
    );
    let components = metadata["components"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let statestore = components
        .iter()
        .find(|found| found["name"] == "statestore");
    assert_eq!(
        statestore,
        Some(&json!({
            "name": "statestore", "type": "state.sqlite", "version": "v1",
            "capabilities": ["ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE"],
        }))
    );
    assert_eq!(
        metadata["subscriptions"],
        json!([{
            "pubsubname": "pubsub", "topic": "orders/new",
            "rules": [{ "match": "event.type == 'none'", "path": "/none" }, { "path": "/on-order" }],
            "deadLetterTopic": "dead-orders", "type": "DECLARATIVE",
        }])
    );
    for path in [
        "/v1.0/healthz",
        "/v1.0/healthz/outbound",
        "/v1.0/healthz?appid=hostile",
        "/v1.0/healthz/",
    ] {
        let well = door.get(path).await?;
        assert_eq!((well.status, well.body.len()), (204, 0), "{path}");
    }
    Ok(())
}
