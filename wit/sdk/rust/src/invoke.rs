//! Calls to other apps by their app ID.
//!
//! ```no_run
//! # fn main() -> berth_sdk::Result<()> {
//! use berth_sdk::invoke::{self, Call};
//! use std::time::Duration;
//!
//! let stock: u64 = invoke::get("inventory-service", "stock/tea")?;
//!
//! let answer = Call::post("inventory-service", "reserve")
//!     .json(&["tea", "cup"])?
//!     .timeout(Duration::from_secs(3))
//!     .send()?;
//! assert_eq!(answer.status(), 200);
//! # drop(stock); Ok(()) }
//! ```

use crate::{
    Error, Kind, Result,
    bindings::imports::berth::invocation::invoker,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode},
    json,
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// A call that has not been sent. It arrives at the HTTP export of the other app.
#[derive(Debug, Clone)]
pub struct Call {
    app_id: String,
    request: invoker::Request,
}

/// Asks an app with `GET`, and reads its answer as JSON.
///
/// # Errors
/// The call was not delivered, the answer is no success, or not of this type.
pub fn get<T: DeserializeOwned>(app_id: &str, path: &str) -> Result<T> {
    Call::new(Method::GET, app_id, path).ask()
}

/// Sends a value to an app with `POST`, and reads its answer as JSON.
///
/// # Errors
/// As [`get`].
pub fn post<T: DeserializeOwned>(
    app_id: &str,
    path: &str,
    body: &(impl Serialize + ?Sized),
) -> Result<T> {
    Call::post(app_id, path).json(body)?.ask()
}

impl Call {
    /// A call of an app: `name`, or `name.namespace`. The path may have a leading slash.
    pub fn new(verb: Method, app_id: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            request: invoker::Request {
                method: path.into(),
                verb: verb.to_string(),
                headers: Vec::new(),
                query: None,
                body: Vec::new(),
                timeout_ms: None,
                metadata: Vec::new(),
            },
        }
    }

    /// A call with the verb `GET`.
    pub fn get(app_id: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::GET, app_id, path)
    }

    /// A call with the verb `POST`.
    pub fn post(app_id: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(Method::POST, app_id, path)
    }

    /// The body, as JSON.
    ///
    /// # Errors
    /// [`Kind::Malformed`]: the value is no JSON.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Result<Self> {
        let bytes = json::write("the body of a call", body)?;
        Ok(self.header("content-type", json::MEDIA_TYPE).body(bytes))
    }

    /// The body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.request.body = bytes.into();
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// One more parameter of the query string.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let query = self.request.query.take().unwrap_or_default();
        let mut query = form_urlencoded::Serializer::new(query);
        self.request.query = Some(query.append_pair(name, value).finish());
        self
    }

    /// Gives up after this time, in whole milliseconds. The host's own limit still holds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// Calls, and waits for the whole answer.
    ///
    /// # Errors
    /// The call was not delivered. An answer, 500 included, is none.
    pub fn send(self) -> Result<Response> {
        let answer = invoker::invoke(&self.app_id, &self.request)?;
        let mut response = Response::new(answer.body);
        *response.status_mut() = StatusCode::from_u16(answer.status)
            .map_err(|error| Error::malformed("the answer", error))?;
        *response.headers_mut() = headers(answer.headers);
        Ok(response)
    }

    /// Calls, and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`Call::send`]; [`Kind::Other`] for an answer that is no success, with its status and text;
    /// [`Kind::Malformed`] for one of another type.
    pub fn ask<T: DeserializeOwned>(self) -> Result<T> {
        let called = format!(
            "{} {} of {}",
            self.request.verb, self.request.method, self.app_id
        );
        let answer = self.send()?;
        if !answer.status().is_success() {
            let text = String::from_utf8_lossy(answer.body());
            let kind = match answer.status() {
                StatusCode::NOT_FOUND => Kind::NotFound,
                StatusCode::CONFLICT => Kind::Conflict,
                StatusCode::SERVICE_UNAVAILABLE => Kind::Unavailable,
                _ => Kind::Other,
            };
            return Err(Error::new(
                kind,
                format!("{called} answered {}: {text}", answer.status()),
            ));
        }
        json::read(called, answer.body())
    }
}

fn headers(all: Vec<(String, String)>) -> HeaderMap {
    let legal = all.into_iter().filter_map(|(name, value)| {
        Some((
            HeaderName::try_from(name).ok()?,
            HeaderValue::try_from(value).ok()?,
        ))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in legal {
        headers.append(name, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded() {
        let call = Call::get("a", "/b").query("q", "x y").query("r", "&");
        assert_eq!(call.request.query.as_deref(), Some("q=x+y&r=%26"));
    }
}
