//! audit-service: keeps what nobody else could handle.
//!
//! It has no subscriber export: `subscriptions.yaml` sends it the messages of `orders-dlq` as plain HTTP, a CloudEvent
//! in JSON POSTed to `/dead-letters`. The ingress exposes `/audit` only, so nobody outside can forge one.

mod cloud_event;

use berth_sdk::{
    Kind,
    http::{HeaderName, IntoResponse, Json, Request, RequestExt, Response, Router},
    state::{Store, Write},
};
use cloud_event::{CloudEvent, Entry};
use serde_json::{Value, json};
use shop_kit::{Failure, STORE, body};

/// Most entries in one answer.
const PAGE_MAX: u32 = 1_000;

berth_sdk::guest! { http: routes }

fn routes() -> Router {
    Router::new()
        .post("/dead-letters", keep)
        .get("/audit", list)
}

/// Keeps a dead letter, once. The answer tells the host what to do with the message.
fn keep(request: Request) -> Result<Json<Value>, Failure> {
    let Ok(event) = serde_json::from_value::<CloudEvent>(body(&request)?) else {
        return Ok(Json(json!({ "status": "DROP" })));
    };
    let entry = Entry::from(event);
    match Store::open(STORE)?.write(&entry.key(), &entry, Write::new().if_absent()) {
        // One that is there already has come before.
        Err(error) if error.kind() != Kind::Conflict => Err(error.into()),
        _ => Ok(Json(json!({ "status": "SUCCESS" }))),
    }
}

/// Lists what was kept. A longer list continues with `?after=` and what the header `next` said.
fn list(request: Request) -> Result<Response, Failure> {
    let store = Store::open(STORE)?;
    let (keys, next) =
        store.keys_page(cloud_event::KEY_PREFIX, PAGE_MAX, request.query("after"))?;
    let found = store.get_many::<Entry>(&keys)?;
    let mut entries: Vec<_> = found
        .into_iter()
        .flatten()
        .map(|entry| entry.value)
        .collect();
    entries.sort_by(|one, other| one.time.cmp(&other.time));
    Ok(match next {
        Some(next) => ([(HeaderName::from_static("next"), next)], Json(entries)).into_response(),
        None => Json(entries).into_response(),
    })
}
