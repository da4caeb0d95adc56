//! What is read out of a request, checked.

use crate::{Failure, Field};
use berth_sdk::http::{Request, RequestExt};
use serde_json::{Value, json};

/// Largest request body that the shop reads.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The body as JSON, not yet checked: see [`Field`].
pub fn body(request: &Request) -> Result<Value, Failure> {
    if request.body().len() > BODY_BYTES_MAX {
        let message = format!("the body exceeds {BODY_BYTES_MAX} bytes");
        return Err(Failure::new(413, "too-large", message));
    }
    serde_json::from_slice(request.body())
        .map_err(|error| Failure::invalid("body", format!("must be JSON: {error}")))
}

/// An identifier out of the path, checked like one out of a body.
pub fn path_id(request: &Request, name: &str) -> Result<String, Failure> {
    let path = json!({ name: request.param(name) });
    Field::body(&path).get(name).id()
}
