//! Every row of the error tables. What only other backends bring about (etags of another form, stores without
//! transactions) is tested where the rows are, in `host/gateway/src/dapr_http`.

use super::with_ports;
use crate::common::Village;
use anyhow::Result;
use berth_e2e::{Answer, Client, Folder, Host, guest};
use reqwest::Method;
use serde_json::{Value, json};

/// `till` may use everything below, and of it not the topic `forbidden` and the secret `denied`. `lonely` may use
/// nothing. What is called `closed` could not be opened.
const BACKENDS: &str = r#"
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.in-memory, version: v1 }
scopes: [till]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: closed-state }
spec:
  type: state.sqlite
  version: v1
  ignoreErrors: true
  metadata: [{ name: connectionString, value: SECRETS/no-folder.db }]
scopes: [till]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec:
  type: pubsub.in-memory
  version: v1
  metadata: [{ name: protectedTopics, value: forbidden }]
scopes: [till]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: closed-pubsub }
spec:
  type: pubsub.sqlite
  version: v1
  ignoreErrors: true
  metadata: [{ name: connectionString, value: SECRETS/no-folder.db }]
scopes: [till]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: secretstore }
spec:
  type: secretstores.local.file
  version: v1
  metadata: [{ name: secretsFile, value: SECRETS }]
scopes: [till]
"#;

const CONFIGURATION: &str = r"
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: appconfig }
spec:
  secrets:
    scopes:
      - storeName: secretstore
        defaultAccess: allow
        deniedSecrets: [denied]
";

/// The folders live as long as the host.
async fn start() -> Result<(Village, Folder, Host)> {
    let (village, flags) = (Village::new()?, Folder::new()?);
    village
        .folder
        .app("hello", &guest("hello")?, "  http: { paths: [/] }")?;
    let secrets = village
        .folder
        .write("secrets.json", r#"{ "known": "value", "denied": "value" }"#)?;
    let backends = BACKENDS.replace("SECRETS", &secrets.display().to_string());
    village.folder.write("backends.yaml", backends)?;
    // Outside of the folder, as Dapr has it: for the apps that name none, native ones included.
    let configuration = flags.write("config.yaml", CONFIGURATION)?;
    let host = village.host().arg("--config").arg(configuration);
    let host = with_ports(host, &["till=0", "lonely=0"]).start().await?;
    Ok((village, flags, host))
}

/// Who asks for what, and how it is refused: status, `errorCode`, and the `reason` of rich errors.
struct Row {
    app: &'static str,
    request: &'static str,
    header: Option<(&'static str, String)>,
    body: Value,
    expected: &'static str,
}

fn till(request: &'static str, body: Value, expected: &'static str) -> Row {
    Row {
        app: "till",
        request,
        header: None,
        body,
        expected,
    }
}

fn lonely(request: &'static str, expected: &'static str) -> Row {
    Row {
        app: "lonely",
        ..till(request, json!([]), expected)
    }
}

impl Row {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }
}

/// One step of a transaction, or an item.
fn item(key: &str, etag: Option<&str>) -> Value {
    json!({ "key": key, "value": 1, "etag": etag })
}

fn transaction(operation: &str, request: Value) -> Value {
    json!({ "operations": [{ "operation": operation, "request": request }] })
}

#[rustfmt::skip]
fn state() -> Vec<Row> {
    let first_write = json!([{ "key": "taken", "value": 1, "options": { "concurrency": "first-write" } }]);
    let stale = || Some("no-such-etag");
    let many = json!({ "operations": vec![json!({ "operation": "delete", "request": { "key": "k" } }); 10_001] });
    vec![
        till("POST /v1.0/state/statestore", json!([item("taken", stale())]), "409 ERR_STATE_SAVE"),
        till("POST /v1.0/state/statestore", json!([item("taken", stale()), item("free", stale())]), "409 ERR_STATE_SAVE"),
        till("DELETE /v1.0/state/statestore/taken", json!(null), "409 ERR_STATE_DELETE").with("if-match", "no-such-etag"),
        till("POST /v1.0/state/statestore/transaction", transaction("upsert", item("taken", stale())), "500 ERR_STATE_TRANSACTION"),
        till("POST /v1.0/state/statestore/transaction", transaction("delete", item("taken", stale())), "500 ERR_STATE_TRANSACTION"),
        till("POST /v1.0/state/statestore", first_write, "409 ERR_STATE_SAVE"),
        lonely("POST /v1.0/state/statestore", "500 ERR_STATE_STORE_NOT_CONFIGURED DAPR_STATE_NOT_CONFIGURED"),
        lonely("GET /v1.0/state/statestore/k", "500 ERR_STATE_STORE_NOT_CONFIGURED DAPR_STATE_NOT_CONFIGURED"),
        lonely("POST /v1.0/state/statestore/transaction", "500 ERR_STATE_STORE_NOT_CONFIGURED DAPR_STATE_NOT_CONFIGURED"),
        till("POST /v1.0/state/unknown", json!([]), "400 ERR_STATE_STORE_NOT_FOUND DAPR_STATE_NOT_FOUND"),
        till("GET /v1.0/state/unknown/k", json!(null), "400 ERR_STATE_STORE_NOT_FOUND DAPR_STATE_NOT_FOUND"),
        till("DELETE /v1.0/state/unknown/k", json!(null), "400 ERR_STATE_STORE_NOT_FOUND DAPR_STATE_NOT_FOUND"),
        till("POST /v1.0/state/unknown/bulk", json!({}), "400 ERR_STATE_STORE_NOT_FOUND DAPR_STATE_NOT_FOUND"),
        till("POST /v1.0/state/unknown/transaction", json!({}), "400 ERR_STATE_STORE_NOT_FOUND DAPR_STATE_NOT_FOUND"),
        till("POST /v1.0-alpha1/state/unknown/query", json!({}), "400 ERR_STATE_STORE_NOT_FOUND DAPR_STATE_NOT_FOUND"),
        till("POST /v1.0/state/statestore", json!([item("good", None), item("a||b", None)]), "400 ERR_MALFORMED_REQUEST DAPR_STATE_ILLEGAL_KEY"),
        till("GET /v1.0/state/statestore/a||b", json!(null), "400 ERR_MALFORMED_REQUEST DAPR_STATE_ILLEGAL_KEY"),
        till("DELETE /v1.0/state/statestore/a%7C%7Cb", json!(null), "400 ERR_MALFORMED_REQUEST DAPR_STATE_ILLEGAL_KEY"),
        till("POST /v1.0/state/statestore/bulk", json!({ "keys": ["a", "a||b"] }), "400 ERR_MALFORMED_REQUEST DAPR_STATE_ILLEGAL_KEY"),
        till("POST /v1.0/state/statestore/transaction", transaction("upsert", item("a||b", None)), "400 ERR_MALFORMED_REQUEST DAPR_STATE_ILLEGAL_KEY"),
        till("POST /v1.0/state/statestore/transaction", many, "400 ERR_STATE_STORE_TOO_MANY_TRANSACTIONS DAPR_STATE_TOO_MANY_TRANSACTIONS"),
        till("POST /v1.0/state/statestore/transaction", transaction("increment", item("k", None)), "400 ERR_NOT_SUPPORTED_STATE_OPERATION"),
        till("POST /v1.0-alpha1/state/statestore/query", json!({}), "500 ERR_STATE_STORE_NOT_SUPPORTED DAPR_STATE_QUERYING_NOT_SUPPORTED"),
        till("POST /v1.0/state/statestore", json!("{"), "400 ERR_MALFORMED_REQUEST"),
        till("POST /v1.0/state/statestore", json!({ "key": "no list" }), "400 ERR_MALFORMED_REQUEST"),
        till("POST /v1.0/state/statestore/bulk", json!([1]), "400 ERR_MALFORMED_REQUEST"),
        till("POST /v1.0/state/statestore/transaction", json!([1]), "400 ERR_MALFORMED_REQUEST"),
        till("POST /v1.0/state/statestore/transaction", transaction("upsert", json!(1)), "400 ERR_MALFORMED_REQUEST"),
        till("POST /v1.0/state/statestore", json!([{ "value": 1 }]), "400 ERR_MALFORMED_REQUEST"),
        till("POST /v1.0/state/statestore", json!([{ "key": "k", "metadata": { "ttlInSeconds": "soon" } }]), "400 ERR_STATE_SAVE"),
        till("POST /v1.0/state/statestore", json!([{ "key": "k", "options": { "concurrency": "second-write" } }]), "400 ERR_STATE_SAVE"),
        till("GET /v1.0/state/statestore/k?consistency=weak", json!(null), "400 ERR_STATE_GET"),
        till("GET /v1.0/state/closed-state/k", json!(null), "500 ERR_STATE_GET"),
        till("POST /v1.0/state/closed-state", json!([item("k", None)]), "500 ERR_STATE_SAVE"),
        till("DELETE /v1.0/state/closed-state/k", json!(null), "500 ERR_STATE_DELETE"),
        till("POST /v1.0/state/closed-state/bulk", json!({ "keys": ["k"] }), "500 ERR_STATE_BULK_GET"),
        till("POST /v1.0/state/closed-state/transaction", transaction("delete", item("k", None)), "500 ERR_STATE_TRANSACTION"),
    ]
}

#[rustfmt::skip]
fn publish() -> Vec<Row> {
    let entry = |id: &str| json!({ "entryId": id, "event": "text", "contentType": "text/plain" });
    let odd = json!([{ "entryId": "1", "event": { "a": 1 }, "contentType": "text/plain" }]);
    vec![
        till("POST /v1.0/publish/pubsub/forbidden", json!(1), "403 ERR_PUBSUB_FORBIDDEN DAPR_PUBSUB_FORBIDDEN"),
        till("POST /v1.0/publish/bulk/pubsub/forbidden", json!([entry("1")]), "403 ERR_PUBSUB_FORBIDDEN DAPR_PUBSUB_FORBIDDEN"),
        till("POST /v1.0/publish/unknown/t", json!(1), "404 ERR_PUBSUB_NOT_FOUND DAPR_PUBSUB_NOT_FOUND"),
        till("POST /v1.0/publish/bulk/unknown/t", json!([]), "404 ERR_PUBSUB_NOT_FOUND DAPR_PUBSUB_NOT_FOUND"),
        lonely("POST /v1.0/publish/pubsub/t", "400 ERR_PUBSUB_NOT_CONFIGURED DAPR_PUBSUB_NOT_CONFIGURED"),
        till("POST /v1.0/publish/", json!(1), "404 ERR_PUBSUB_EMPTY DAPR_PUBSUB_NAME_EMPTY"),
        till("POST /v1.0/publish/pubsub/", json!(1), "404 ERR_TOPIC_NAME_EMPTY DAPR_PUBSUB_TOPIC_NAME_EMPTY"),
        till("POST /v1.0/publish/pubsub/t?metadata.rawPayload=perhaps", json!(1), "400 ERR_PUBSUB_REQUEST_METADATA DAPR_PUBSUB_METADATA_DESERIALIZATION"),
        till("POST /v1.0/publish/pubsub/t?metadata.ttlInSeconds=soon", json!(1), "400 ERR_PUBSUB_REQUEST_METADATA DAPR_PUBSUB_METADATA_DESERIALIZATION"),
        till("POST /v1.0/publish/pubsub/t?metadata.ttlInSeconds=0", json!(1), "400 ERR_PUBSUB_REQUEST_METADATA DAPR_PUBSUB_METADATA_DESERIALIZATION"),
        till("POST /v1.0/publish/pubsub/t", json!("{"), "500 ERR_PUBSUB_CLOUD_EVENTS_SER DAPR_PUBSUB_CLOUD_EVENT_CREATION").with("content-type", "application/cloudevents+json"),
        till("POST /v1.0/publish/closed-pubsub/t", json!(1), "500 ERR_PUBSUB_PUBLISH_MESSAGE DAPR_PUBSUB_PUBLISH_MESSAGE"),
        till("POST /v1.0/publish/bulk/pubsub/t", json!("{"), "400 ERR_PUBSUB_EVENTS_SER DAPR_PUBSUB_UNMARSHAL_EVENTS"),
        till("POST /v1.0/publish/bulk/pubsub/t", json!([entry("1"), entry("1")]), "400 ERR_PUBSUB_EVENTS_SER DAPR_PUBSUB_MARSHAL_EVENTS"),
        till("POST /v1.0-alpha1/publish/bulk/pubsub/t", json!([entry("")]), "400 ERR_PUBSUB_EVENTS_SER DAPR_PUBSUB_MARSHAL_EVENTS"),
        till("POST /v1.0/publish/bulk/pubsub/t", odd, "400 ERR_PUBSUB_EVENTS_SER DAPR_PUBSUB_MARSHAL_ENVELOPE"),
    ]
}

#[rustfmt::skip]
fn invoke_secrets_and_the_rest() -> Vec<Row> {
    vec![
        till("GET /", json!(null), "404 ERR_DIRECT_INVOKE"),
        till("GET /v1.0/nothing/of/this", json!(null), "404 ERR_DIRECT_INVOKE"),
        till("PATCH /v1.0/state/statestore/k", json!(1), "404 ERR_DIRECT_INVOKE"),
        till("GET /v1.0/invoke/hello", json!(null), "404 ERR_DIRECT_INVOKE"),
        till("GET /v1.0/invoke/unknown/method/m", json!(null), "500 ERR_DIRECT_INVOKE"),
        till("GET /v1.0/invoke/no!name/method/m", json!(null), "500 ERR_DIRECT_INVOKE"),
        till("GET /v1.0/invoke/hello/method/a%00b", json!(null), "500 ERR_DIRECT_INVOKE"),
        till("GET /v1.0/invoke/hello/method/a%23b", json!(null), "500 ERR_DIRECT_INVOKE"),
        till("GET /v1.0/invoke/hello.elsewhere/method/m", json!(null), "403 ERR_DIRECT_INVOKE"),
        till("GET /m", json!(null), "500 ERR_DIRECT_INVOKE").with("dapr-app-id", "unknown"),

        lonely("GET /v1.0/secrets/secretstore/known", "500 ERR_SECRET_STORES_NOT_CONFIGURED"),
        lonely("GET /v1.0/secrets/secretstore/bulk", "500 ERR_SECRET_STORES_NOT_CONFIGURED"),
        till("GET /v1.0/secrets/unknown/known", json!(null), "401 ERR_SECRET_STORE_NOT_FOUND"),
        till("GET /v1.0/secrets/unknown/bulk", json!(null), "401 ERR_SECRET_STORE_NOT_FOUND"),
        till("GET /v1.0/secrets/secretstore/denied", json!(null), "403 ERR_PERMISSION_DENIED"),
        till("GET /v1.0/secrets/secretstore/missing", json!(null), "500 ERR_SECRET_GET"),

        till("GET /v1.0/healthz?appid=another", json!(null), "500 ERR_HEALTH_APPID_NOT_MATCH"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_error_tables_is_answered() -> Result<()> {
    let (_village, _flags, host) = start().await?;
    let taken = json!([item("taken", None)]);
    let till = host.dapr("till")?;
    assert_eq!(
        till.post("/v1.0/state/statestore", &taken).await?.status,
        204
    );
    let rows = state().into_iter().chain(publish());
    let rows = rows.chain(invoke_secrets_and_the_rest());
    let mut wrong = Vec::new();
    for row in rows {
        let answer = ask(host.dapr(row.app)?, &row).await?;
        let seen = seen(&answer);
        if seen != row.expected {
            wrong.push(format!(
                "{} {}: {seen}, not {}\n    {answer}",
                row.app, row.request, row.expected
            ));
        }
        assert_eq!(
            answer.header("content-type"),
            "application/json",
            "{}",
            row.request
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A key that is refused forbids the others of its call.
    assert_eq!(till.get("/v1.0/state/statestore/good").await?.status, 204);
    Ok(())
}

async fn ask(door: &Client, row: &Row) -> Result<Answer> {
    let (method, path) = row.request.split_once(' ').unwrap_or_default();
    let mut request = door.request(Method::from_bytes(method.as_bytes())?, path);
    if let Some((name, value)) = &row.header {
        request = request.header(*name, value);
    }
    // A string stands for a body that is no JSON.
    request = match &row.body {
        Value::Null => request,
        Value::String(text) => request.body(text.clone()),
        json => request.body(json.to_string()),
    };
    Answer::to(request).await
}

fn seen(answer: &Answer) -> String {
    let report = answer.json();
    let code = report["errorCode"].as_str().unwrap_or_default();
    let details = report["details"].as_array().into_iter().flatten();
    let reason = details
        .filter(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo")
        .filter_map(|detail| detail["reason"].as_str());
    let reason: String = reason.map(|reason| format!(" {reason}")).collect();
    format!("{} {code}{reason}", answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn rich_errors_have_daprs_details() -> Result<()> {
    let (_village, _flags, host) = start().await?;
    let till = host.dapr("till")?;
    let illegal = till.get("/v1.0/state/statestore/a||b").await?;
    let message = "input key/keyPrefix 'a||b' can't contain '||'";
    assert_eq!(
        illegal.json(),
        json!({
            "errorCode": "ERR_MALFORMED_REQUEST",
            "message": message,
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "DAPR_STATE_ILLEGAL_KEY",
                    "domain": "dapr.io",
                },
                {
                    "@type": "type.googleapis.com/google.rpc.ResourceInfo",
                    "resource_type": "state",
                    "resource_name": "statestore",
                },
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "field_violations": [{ "field": "a||b", "description": message }],
                },
            ],
        })
    );
    let unknown = till.get("/v1.0/state/unknown/k").await?;
    assert_eq!(
        unknown.json(),
        json!({
            "errorCode": "ERR_STATE_STORE_NOT_FOUND",
            "message": "state store unknown is not found",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "DAPR_STATE_NOT_FOUND",
                "domain": "dapr.io",
                "metadata": { "appID": "till" },
            }],
        })
    );
    let path = "/v1.0/publish/pubsub/forbidden";
    let forbidden = till.post(path, &json!(1)).await?.json();
    let message = "topic forbidden is not allowed for app id till";
    assert_eq!(forbidden["message"], message);
    assert_eq!(forbidden["details"][0]["metadata"]["topic"], "forbidden");
    assert_eq!(
        forbidden["details"][1],
        json!({
            "@type": "type.googleapis.com/google.rpc.ResourceInfo",
            "resource_type": "pubsub",
            "resource_name": "pubsub",
            "description": message,
        })
    );
    let failed = json!([
        { "entryId": "good", "event": "x", "contentType": "text/plain" },
        { "entryId": "bad", "event": "x", "contentType": "text/plain", "metadata": { "ttlInSeconds": "soon" } },
    ]);
    let failed = till.post("/v1.0/publish/bulk/pubsub/t", &failed).await?;
    assert_eq!(failed.status, 500);
    let report = failed.json();
    assert_eq!(report["errorCode"], "ERR_PUBSUB_PUBLISH_MESSAGE");
    assert_eq!(report["failedEntries"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["failedEntries"][0]["entryId"], "bad");
    Ok(())
}
