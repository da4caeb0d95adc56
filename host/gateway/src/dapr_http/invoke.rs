//! `/v1.0/invoke/{app}/method/{path...}`, and whatever is no other route: calls to apps, any verb, streaming in both
//! directions.

use super::{Call, Door, INVOCATION_TIMEOUT, Outcome, body, errors, path};
use crate::headers;
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_blocks::invocation::InvokeError;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Limited};
use std::{borrow::Cow, net::IpAddr};

const APP_ID: &str = "dapr-app-id";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Which method of which app.
#[derive(Debug, PartialEq, Eq)]
struct Called {
    app: String,
    /// Without a slash at its beginning, decoded, with dots resolved.
    method: String,
}

pub(super) async fn invoke(door: &Door, call: Call) -> Outcome {
    let caller = door.caller(&call.head.headers, INVOCATION_TIMEOUT);
    let path = call.head.uri.path();
    let path = path::unescape_path(path).ok_or_else(|| errors::malformed_path(path))?;
    let called = called(&path, &call.head.headers).ok_or_else(errors::no_app)?;
    let failed = |error: InvokeError| errors::invoke(&error, &called.app);
    let uri = uri(&called.method, call.head.uri.query()).map_err(failed)?;
    if body::is_too_large(&call, door.body_bytes_max) {
        return Err(failed(InvokeError::TooLarge(body::TOO_LARGE.to_owned())));
    }
    let Call {
        head, body, guard, ..
    } = call;
    let body = Limited::new(body, door.body_bytes_max).boxed_unsync();
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = outgoing(head.headers, door.ip);
    request.extensions_mut().insert(guard);
    let invoker = door.blocks.invoker(&caller);
    invoker.invoke(&called.app, request).await.map_err(failed)
}

/// The app stands in a header, in Basic credentials, or in the path.
fn called(path: &str, headers: &HeaderMap) -> Option<Called> {
    let by_header = headers.get(APP_ID).and_then(|app| app.to_str().ok());
    let by_header = by_header.filter(|app| !app.is_empty());
    if let Some(app) = by_header.map(Cow::Borrowed).or_else(|| basic(headers)) {
        return Some(Called {
            app: app.into_owned(),
            method: method(path),
        });
    }
    let rest = path.trim_start_matches('/').strip_prefix("v1.0/")?;
    let rest = rest.trim_start_matches('/').strip_prefix("invoke/")?;
    let (app, rest) = rest.trim_start_matches('/').split_once("/method/")?;
    if app.is_empty() {
        return None;
    }
    Some(Called {
        // A URL may stand here, escaped once more.
        app: path::unescape(app).map_or_else(|| app.to_owned(), Cow::into_owned),
        method: method(rest),
    })
}

/// `http://dapr-app-id:orders@localhost:3500/...`
fn basic(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(given.strip_prefix("Basic ")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, app) = decoded.split_once(':')?;
    let is_app = user.eq_ignore_ascii_case(APP_ID) && !app.contains(':');
    (is_app && !app.is_empty()).then(|| Cow::Owned(app.to_owned()))
}

fn method(path: &str) -> String {
    let rooted = format!("/{path}");
    path::clean(&rooted).trim_start_matches('/').to_owned()
}

/// Where the app receives the call.
fn uri(method: &str, query: Option<&str>) -> Result<Uri, InvokeError> {
    if method.contains(['#', '?']) || method.contains(|c: char| c.is_ascii_control()) {
        return Err(InvokeError::Invalid(format!(
            "invalid method: it contains a forbidden character: {method:?}"
        )));
    }
    let mut path = format!("/{}", path::escape_path(method));
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    path.parse()
        .map_err(|error| InvokeError::Invalid(format!("invalid method: {error}")))
}

/// The headers that the app sees. Who calls and whom is added behind the door.
fn outgoing(mut headers: HeaderMap, ip: IpAddr) -> HeaderMap {
    headers::drop_foreign(&mut headers);
    let is_grpc_binary = |name: &&HeaderName| name.as_str().ends_with("-bin");
    let binary: Vec<_> = headers.keys().filter(is_grpc_binary).cloned().collect();
    for name in binary {
        headers.remove(name);
    }
    let host = headers.remove(header::HOST);
    let host = host.as_ref().and_then(|host| host.to_str().ok());
    let of = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("\"[{ip}]\""),
    };
    let forwarded = match host {
        Some(host) => format!("for={of};by={of};host={host}"),
        None => format!("for={of};by={of}"),
    };
    let added = [
        (FORWARDED_FOR, Some(ip.to_string())),
        (FORWARDED_HOST, host.map(str::to_owned)),
        (header::FORWARDED, Some(forwarded)),
    ];
    for (name, value) in added {
        let value = value.and_then(|value| HeaderValue::from_str(&value).ok());
        if let Some(value) = value {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str, lines: &[(&'static str, &str)]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().unwrap());
        }
        called(path, &headers).map(|called| (called.app, called.method))
    }

    fn is(app: &str, method: &str) -> Option<(String, String)> {
        Some((app.to_owned(), method.to_owned()))
    }

    #[test]
    fn an_app_is_named_in_three_ways() {
        let basic = format!("Basic {}", STANDARD.encode("dapr-app-id:orders"));
        assert_eq!(
            call("/v1.0/invoke/orders/method/a/b", &[]),
            is("orders", "a/b")
        );
        assert_eq!(
            call("/a//b/", &[(APP_ID, "orders.shop")]),
            is("orders.shop", "a/b")
        );
        assert_eq!(call("/a", &[("authorization", &basic)]), is("orders", "a"));
        assert_eq!(
            call("/v1.0/invoke/x/method/y", &[(APP_ID, "z")]),
            is("z", "v1.0/invoke/x/method/y")
        );
        for path in [
            "/",
            "/v1.0/invoke/orders/method",
            "/v1.0/invoke//method/x",
            "/v1.1/invoke/a/method/b",
        ] {
            assert_eq!(call(path, &[]), None, "{path}");
        }
    }

    #[test]
    fn a_method_is_cleaned_before_it_is_sent() {
        assert_eq!(
            call("/v1.0//invoke/orders/method/a/../b/", &[]),
            is("orders", "b")
        );
        assert_eq!(call("/v1.0/invoke/orders/method/", &[]), is("orders", ""));
        assert_eq!(
            call("/v1.0/invoke/http://example.com/method/x", &[]),
            is("http://example.com", "x")
        );
        assert_eq!(uri("a b", Some("x=%20")).unwrap(), "/a%20b?x=%20");
        for method in ["a#b", "a?b", "a\nb", "\0"] {
            assert!(uri(method, None).is_err(), "{method:?}");
        }
    }

    #[test]
    fn the_app_sees_where_the_call_came_from() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "localhost:3500"),
            ("dapr-caller-app-id", "admin"),
            ("grpc-trace-bin", "x"),
            ("cookie", "a=b"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let seen = outgoing(headers, "127.0.0.1".parse().unwrap());
        let mut seen: Vec<_> = seen
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                "cookie: a=b",
                "forwarded: for=127.0.0.1;by=127.0.0.1;host=localhost:3500",
                "x-forwarded-for: 127.0.0.1",
                "x-forwarded-host: localhost:3500",
            ]
        );
    }
}
