//! `/echo`: the request, as JSON.

use crate::http::{Request, Response};
use serde_json::{Map, Value, json};

const HEADERS: [&str; 2] = ["content-type", "x-contract"];

pub fn answer(request: &Request) -> Response {
    let headers: Map<String, Value> = HEADERS
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), request.header(name)?.into())))
        .collect();
    let echo = json!({
        "verb": request.verb,
        "path": request.path,
        "query": request.query,
        "body": String::from_utf8_lossy(&request.body),
        "headers": headers,
    });
    Response::json(201, echo.to_string().into_bytes())
}
