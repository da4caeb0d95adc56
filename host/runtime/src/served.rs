//! How long an app takes for requests, by method and status: `http.server.request.duration` of the conventions.

use berth_resources::App;
use http::{Method, StatusCode};
use metrics::{Histogram, histogram};
use parking_lot::RwLock;
use std::{collections::HashMap, time::Instant};

/// The requests of one app. As many series as there are methods and statuses, both of which are bounded: paths never
/// are labels.
pub(crate) struct Served {
    namespace: String,
    app: String,
    /// A lookup by labels would cost more than all else that is noted of a request.
    series: RwLock<HashMap<(&'static str, u16), Histogram>>,
}

impl Served {
    pub(crate) fn new(app: &App) -> Self {
        Self {
            namespace: app.namespace.to_string(),
            app: app.id.to_string(),
            series: RwLock::default(),
        }
    }

    /// Notes a request whose answer has begun.
    pub(crate) fn note(&self, method: &'static str, status: StatusCode, since: Instant) {
        let took = since.elapsed().as_secs_f64();
        let key = (method, status.as_u16());
        if let Some(series) = self.series.read().get(&key) {
            return series.record(took);
        }
        let mut all = self.series.write();
        let series = all.entry(key).or_insert_with(|| {
            histogram!(
                "http_server_request_duration_seconds",
                "namespace" => self.namespace.clone(),
                "app" => self.app.clone(),
                "http_request_method" => method,
                "http_response_status_code" => status.as_str().to_owned(),
            )
        });
        series.record(took);
    }
}

/// A method as a label: those that everybody knows, and one word for all that a client may make up.
pub(crate) fn label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_is_no_label() {
        assert_eq!(label(&Method::PATCH), "PATCH");
        assert_eq!(label(&Method::from_bytes(b"BREW").unwrap()), "_OTHER");
    }
}
