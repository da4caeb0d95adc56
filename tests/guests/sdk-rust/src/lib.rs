//! Calls of berth-sdk that the shop has no use for. Each route gives what came of one of them.

use berth_sdk::{
    Error, Result,
    http::{self, HeaderName, Json, Method, Request, RequestExt, Response, Router, StatusCode},
    invoke,
    pubsub::Publish,
    random, secrets,
    state::{Step, Store, Write},
    telemetry::{self, Span},
};
use serde_json::{Value, json};

const STORE: &str = "statestore";

berth_sdk::guest! { http: routes }

fn routes() -> Router {
    Router::new()
        .get("/state", state)
        .get("/invoke", invoked)
        .get("/secrets", secret)
        .get("/publish", published)
        .get("/surroundings", surroundings)
        .get("/send", send)
        .post("/echo/{*rest}", echo)
}

fn state(_: Request) -> Result<Json<Value>> {
    let store = Store::open(STORE)?;
    store.set("a", &1)?;
    let stale = Write::new().if_etag("00000000-0000-0000-0000-000000000000");
    let conflict = store.write("a", &2, stale);
    store.transact([
        Step::set("b", &2, Write::new().if_absent())?,
        Step::delete("a", Write::new()),
    ])?;
    let again = store.transact([Step::set("b", &3, Write::new().if_absent())?]);
    let counted: u64 = store.update("n", |before: Option<u64>| before.unwrap_or(0) + 1)?;
    let many = store.get_many::<u64>(&["a".to_owned(), "b".to_owned()])?;
    let many: Vec<_> = many
        .into_iter()
        .map(|entry| entry.map(|entry| entry.value))
        .collect();
    let of_another_type = store.get::<String>("b");
    store.delete("n")?;
    Ok(Json(json!({
        "conflict": kind(&conflict),
        "again": kind(&again),
        "counted": counted,
        "many": many,
        "ofAnotherType": kind(&of_another_type),
        "keys": store.keys("")?,
        "unknown": kind(&Store::open("no-such-store")),
    })))
}

fn invoked(_: Request) -> Result<Json<Value>> {
    let echoed: Value = invoke::post("sdk-rust", "echo/x", &json!({ "said": "hi" }))?;
    Ok(Json(json!({
        "echoed": echoed,
        "notAnswered": kind(&invoke::get::<Value>("sdk-rust", "no-such-route")),
        "unknown": kind(&invoke::get::<Value>("nobody", "x")),
    })))
}

fn secret(_: Request) -> Result<Json<Value>> {
    Ok(Json(json!({
        "word": secrets::get("vault", "word")?,
        "all": secrets::all("vault")?.into_keys().collect::<Vec<_>>(),
        "unknown": kind(&secrets::get("vault", "no-such-secret")),
    })))
}

fn published(_: Request) -> Result<Json<Value>> {
    let failed = Publish::to("pubsub", "numbers").json_many(&[1, 2, 3])?;
    let raw = Publish::to("pubsub", "numbers")
        .raw()
        .bytes("text", "text/plain");
    let wrong = Publish::to("no-such-broker", "numbers").json(&1);
    Ok(Json(
        json!({ "failed": failed.len(), "raw": kind(&raw), "wrong": kind(&wrong) }),
    ))
}

fn surroundings(_: Request) -> Json<Value> {
    let span = Span::start("look around");
    span.set("far", true);
    telemetry::event("looked", [("at", "the sea".into())]);
    Json(json!({ "uuid": random::uuid(), "bytes": random::bytes(3).len() }))
}

/// To another app, or to the outside.
fn send(request: Request) -> Result<Response> {
    let to = request.query("to").unwrap_or_default();
    let size = request.query("bytes").and_then(|size| size.parse().ok());
    let body = size.map_or_else(|| b"\"hello\"".to_vec(), |size| vec![b'z'; size]);
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = Method::POST;
    *outgoing.uri_mut() = to.parse().unwrap_or_default();
    outgoing
        .headers_mut()
        .insert("x-said", http::HeaderValue::from_static("yes"));
    http::send(outgoing)
}

fn echo(request: Request) -> (StatusCode, [(HeaderName, String); 1], Json<Value>) {
    let said = request.header("x-said").unwrap_or("no").to_owned();
    let seen = json!({ "rest": request.param("rest"), "body": request.json::<Value>().ok() });
    (
        StatusCode::ACCEPTED,
        [(HeaderName::from_static("x-heard"), said)],
        Json(seen),
    )
}

fn kind<T>(result: &Result<T>) -> &'static str {
    result
        .as_ref()
        .err()
        .map_or("ok", |error: &Error| error.kind().as_str())
}
