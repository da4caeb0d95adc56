//! `/carts`: any JSON object, kept for an hour after its last change.

use crate::merge_patch;
use berth_sdk::{
    Kind,
    http::{HeaderName, Json, Request, RequestExt, header},
    state::{Entry, Store, Write},
};
use serde_json::Value;
use shop_kit::{Failure, Field, STORE, body, path_id};
use std::time::Duration;

const TTL: Duration = Duration::from_secs(3600);

/// Replaces the cart, whatever it held: the last writer wins.
pub fn put(request: Request) -> Result<Json<Value>, Failure> {
    let user = path_id(&request, "userId")?;
    let cart = object(&request)?;
    Store::open(STORE)?.write(&key(&user), &cart, Write::new().ttl(TTL))?;
    Ok(Json(cart))
}

/// Shows the cart, and its version in `ETag`.
pub fn show(request: Request) -> Result<([(HeaderName, String); 1], Json<Value>), Failure> {
    let user = path_id(&request, "userId")?;
    let cart = find(&Store::open(STORE)?, &user)?;
    let etag = (header::ETAG, format!("\"{}\"", cart.etag));
    Ok(([etag], Json(cart.value)))
}

/// Merges changes into the cart. The first writer wins: a cart that changed since the version in `If-Match`, or since
/// it was read here, is a conflict.
pub fn patch(request: Request) -> Result<Json<Value>, Failure> {
    let user = path_id(&request, "userId")?;
    let changes = object(&request)?;
    let store = Store::open(STORE)?;
    let Entry {
        value: mut cart,
        etag,
        ..
    } = find(&store, &user)?;
    if expected_etag(request.header("if-match")).is_some_and(|expected| expected != etag) {
        return Err(changed(&user));
    }
    merge_patch::apply(&mut cart, &changes);
    match store.write(&key(&user), &cart, Write::new().if_etag(etag).ttl(TTL)) {
        Ok(()) => Ok(Json(cart)),
        Err(error) if error.kind() == Kind::Conflict => Err(changed(&user)),
        Err(error) => Err(error.into()),
    }
}

fn object(request: &Request) -> Result<Value, Failure> {
    let body = body(request)?;
    Field::body(&body).object()?;
    Ok(body)
}

fn find(store: &Store, user: &str) -> Result<Entry<Value>, Failure> {
    let cart = store.entry(&key(user))?;
    cart.ok_or_else(|| Failure::not_found(format!("{user} has no cart")))
}

fn changed(user: &str) -> Failure {
    Failure::conflict(format!(
        "the cart of {user} was changed by somebody else: read it again, then decide"
    ))
}

/// The version that a caller insists on: `"17"`, `W/"17"` or a bare `17`. `*` is any version.
fn expected_etag(if_match: Option<&str>) -> Option<&str> {
    let etag = if_match?.trim();
    let etag = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    (etag != "*").then_some(etag)
}

fn key(user: &str) -> String {
    format!("cart-{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_read_with_and_without_quotes() {
        for written in ["17", "\"17\"", "W/\"17\"", " \"17\" "] {
            assert_eq!(expected_etag(Some(written)), Some("17"), "{written}");
        }
        assert_eq!(expected_etag(Some("*")), None);
        assert_eq!(expected_etag(None), None);
    }
}
