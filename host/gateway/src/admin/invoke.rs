//! Any verb on `/invoke/{app}/{method}`: calls a method of an app, streaming in both directions.

use super::{AdminState, error::ApiError};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use berth_blocks::invocation::Target;
use http::{HeaderName, HeaderValue, Uri, header, uri::PathAndQuery};
use http_body_util::BodyExt;
use std::sync::Arc;

/// Of this API, not of the app.
const OWN_HEADERS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::HOST,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
];

pub(super) async fn invoke(
    State(state): State<Arc<AdminState>>,
    Path((app, _)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let target = find_app(&state, &app)?;
    let (mut parts, body) = request.into_parts();
    parts.uri = method_uri(&parts.uri)?;
    for name in OWN_HEADERS {
        parts.headers.remove(name);
    }
    let host = HeaderValue::from_str(target.app.as_str());
    let host = host.map_err(|error| ApiError::invalid(error.to_string()))?;
    parts.headers.insert(header::HOST, host);
    let body = body.map_err(Into::into).boxed_unsync();
    let request = Request::from_parts(parts, body);
    Ok(state.runtime.handle(&target, request).await.map(Body::new))
}

/// `/invoke/orders/a/b?x=1` becomes `/a/b?x=1`, with every escape as the client wrote it.
fn method_uri(uri: &Uri) -> Result<Uri, ApiError> {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = whole.trim_start_matches('/').splitn(3, '/').nth(2);
    format!("/{}", rest.unwrap_or_default())
        .parse()
        .map_err(|_| ApiError::invalid("the method is not a valid path"))
}

/// An app of this host: `name` in the host's own namespace, or `name.namespace`.
pub(super) fn find_app(state: &AdminState, app_id: &str) -> Result<Target, ApiError> {
    let own = state.namespace.as_str();
    let (app, namespace) = app_id.split_once('.').unwrap_or((app_id, own));
    let target = Target {
        namespace: namespace.parse()?,
        app: app.parse()?,
    };
    if state.runtime.app(&target).is_some() {
        return Ok(target);
    }
    let apps = state.runtime.apps();
    let known: Vec<_> = apps
        .iter()
        .filter(|loaded| loaded.app().namespace == target.namespace)
        .map(|loaded| format!("`{}`", loaded.app().id))
        .collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    Err(ApiError::not_found(format!(
        "no app `{app}` runs in namespace `{namespace}` (running: {known})"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_keeps_its_escapes_and_its_query() {
        for (given, expected) in [
            ("/invoke/orders/reserve", "/reserve"),
            ("/invoke/orders/a%2Fb/c?x=1&y=%20", "/a%2Fb/c?x=1&y=%20"),
            ("/invoke/orders/a/", "/a/"),
        ] {
            let uri = method_uri(&given.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), expected);
        }
    }
}
