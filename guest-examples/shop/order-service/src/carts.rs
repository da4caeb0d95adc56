//! `/carts`: any JSON object, kept for an hour after its last change.

use crate::merge_patch;
use serde_json::Value;
use shop_kit::{
    Document, Documents, Failure, Field, Reply, Request, if_unchanged, last_write,
    state::SetOptions, won,
};

const TTL_SECONDS: u32 = 3600;

/// Replaces the cart, whatever it held: the last writer wins.
pub fn put(user: &str, request: &Request) -> Result<Reply, Failure> {
    let cart = object(request)?;
    Documents::open("statestore")?.save(&key(user), &cart, for_an_hour(last_write()))?;
    Ok(Reply::json(200, &cart))
}

/// Shows the cart, and its version in `ETag`.
pub fn show(user: &str) -> Result<Reply, Failure> {
    let cart = find(&Documents::open("statestore")?, user)?;
    Ok(Reply::json(200, &cart.value).with_header("etag", format!("\"{}\"", cart.etag)))
}

/// Merges changes into the cart. The first writer wins: a cart that changed since the version in `If-Match`, or since
/// it was read here, is a conflict.
pub fn patch(user: &str, request: &Request) -> Result<Reply, Failure> {
    let changes = object(request)?;
    let documents = Documents::open("statestore")?;
    let Document {
        value: mut cart,
        etag,
    } = find(&documents, user)?;
    if expected_etag(request.header("if-match")).is_some_and(|expected| expected != etag) {
        return Err(changed(user));
    }
    merge_patch::apply(&mut cart, &changes);
    if won(documents.save(&key(user), &cart, for_an_hour(if_unchanged(etag))))? {
        Ok(Reply::json(200, &cart))
    } else {
        Err(changed(user))
    }
}

fn object(request: &Request) -> Result<Value, Failure> {
    let body = request.json()?;
    Field::body(&body).object()?;
    Ok(body)
}

fn find(documents: &Documents, user: &str) -> Result<Document<Value>, Failure> {
    documents
        .find(&key(user))?
        .ok_or_else(|| Failure::not_found(format!("{user} has no cart")))
}

fn for_an_hour(options: SetOptions) -> SetOptions {
    SetOptions {
        ttl_seconds: Some(TTL_SECONDS),
        ..options
    }
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
