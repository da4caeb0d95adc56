//! audit-service: keeps what nobody else could handle.
//!
//! It has no subscriber export: `subscriptions.yaml` sends it the messages of `orders-dlq` as plain HTTP, a CloudEvent
//! in JSON POSTed to `/dead-letters`. The ingress exposes `/audit` only, so nobody outside can forge one.

mod cloud_event;

use cloud_event::{CloudEvent, Entry};
use serde_json::json;
use shop_kit::{Documents, Failure, Reply, Request, if_absent, serve, state::Page, won};
use wit::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};

/// Most entries in one answer.
const PAGE_MAX: u32 = 1_000;

mod wit {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package shop:audit-service;

            world audit-service {
                import berth:state/store@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "shop:audit-service/audit-service",
        with: {
            "wasi:http/types@0.2.12": shop_kit::wit::wasi::http::types,
            "berth:state/store@0.1.0": shop_kit::wit::berth::state::store,
        },
        generate_all,
    });
}

struct AuditService;
wit::export!(AuditService with_types_in wit);

impl Guest for AuditService {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        serve(request, response, |request| {
            match (request.verb(), request.path().as_slice()) {
                ("POST", ["dead-letters"]) => keep(request),
                ("GET", ["audit"]) => list(request),
                _ => Err(request.unmatched()),
            }
        })
    }
}

/// Keeps a dead letter, once. The answer tells the host what to do with the message.
fn keep(request: &Request) -> Result<Reply, Failure> {
    let Ok(event) = serde_json::from_value::<CloudEvent>(request.json()?) else {
        return Ok(Reply::json(200, &json!({ "status": "DROP" })));
    };
    let entry = Entry::from(event);
    // One that is there already has come before.
    won(Documents::open("statestore")?.save(&entry.key(), &entry, if_absent()))?;
    Ok(Reply::json(200, &json!({ "status": "SUCCESS" })))
}

/// Lists what was kept. A longer list continues with `?after=` and what the header `next` said.
fn list(request: &Request) -> Result<Reply, Failure> {
    let documents = Documents::open("statestore")?;
    let page = Page {
        limit: PAGE_MAX,
        token: request.query("after").map(str::to_owned),
    };
    let keys = documents
        .store()
        .list_keys(cloud_event::KEY_PREFIX, &page)?;
    let mut entries: Vec<Entry> = documents
        .find_all(&keys.keys)?
        .into_iter()
        .flatten()
        .map(|entry| entry.value)
        .collect();
    entries.sort_by(|one, other| one.time.cmp(&other.time));
    let reply = Reply::json(200, &entries);
    Ok(match keys.next {
        Some(next) => reply.with_header("next", next),
        None => reply,
    })
}
