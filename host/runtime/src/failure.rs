//! Why a call into a guest has no answer of the guest: one reason code each, one status, one metric.

use berth_blocks::invocation::Body;
use berth_resources::Limits;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// What stopped a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// `limits.concurrency` calls run and `limits.queue` wait, or the host's pool is full.
    Overloaded,
    /// The host is stopping.
    Draining,
    /// `limits.timeout` passed.
    WallTime,
    /// `limits.cpuTime` was used up.
    CpuTime,
    /// The guest stopped after it was refused more than `limits.memory`.
    Memory,
    /// The guest stopped after it was refused more table elements.
    Table,
    /// The guest's stack is exhausted.
    Stack,
    /// The request body is larger than `limits.requestBody`.
    RequestBody,
    /// The response body is larger than `limits.responseBody`.
    ResponseBody,
    /// The guest trapped; the text is wasmtime's.
    Trap(String),
    /// The guest returned without a response, or with an error code.
    NoResponse(String),
    /// The request is not one that a guest can receive.
    BadRequest(String),
    /// The app has no HTTP export.
    NoHttp,
    /// The host could not start an instance.
    Instantiation(String),
}

impl Failure {
    /// Stable code for callers, logs and metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::WallTime => "wall-time",
            Self::CpuTime => "cpu-time",
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Stack => "stack",
            Self::RequestBody => "request-body",
            Self::ResponseBody => "response-body",
            Self::Trap(_) => "trap",
            Self::NoResponse(_) => "no-response",
            Self::BadRequest(_) => "bad-request",
            Self::NoHttp => "no-http",
            Self::Instantiation(_) => "instantiation",
        }
    }

    /// Status for an HTTP caller.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Overloaded | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::WallTime | Self::CpuTime => StatusCode::GATEWAY_TIMEOUT,
            Self::RequestBody => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NoHttp => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a caller may know: the limit and its value, nothing of the guest's inside.
    pub(crate) fn message(&self, limits: &Limits) -> String {
        match self {
            Self::Overloaded => format!(
                "the app is overloaded: {} calls run and {} wait (limits.concurrency, limits.queue)",
                limits.concurrency, limits.queue
            ),
            Self::Draining => "the host is stopping".into(),
            Self::WallTime => format!(
                "no complete answer within {:?} (limits.timeout)",
                limits.timeout
            ),
            Self::CpuTime => format!(
                "more than {:?} of CPU time used (limits.cpuTime)",
                limits.cpu_time
            ),
            Self::Memory => format!(
                "more than {} of memory needed (limits.memory)",
                limits.memory
            ),
            Self::Table => format!(
                "more than {} table elements needed (limits.tableElements)",
                limits.table_elements
            ),
            Self::Stack => "the guest's stack is exhausted".into(),
            Self::RequestBody => format!(
                "the request body is larger than {} (limits.requestBody)",
                limits.request_body
            ),
            Self::ResponseBody => {
                format!(
                    "the response body is larger than {} (limits.responseBody)",
                    limits.response_body
                )
            }
            Self::Trap(_) => "the guest failed".into(),
            Self::NoResponse(_) => "the guest gave no response".into(),
            Self::BadRequest(why) => why.clone(),
            Self::NoHttp => "the app has no HTTP export".into(),
            Self::Instantiation(_) => "the guest could not be started".into(),
        }
    }

    /// What the operator's log says in addition.
    pub(crate) fn detail(&self) -> &str {
        match self {
            Self::Trap(detail) | Self::NoResponse(detail) | Self::Instantiation(detail) => detail,
            _ => "",
        }
    }

    /// The answer for an HTTP caller: Dapr's error shape, the reason once more as a header.
    pub(crate) fn response(&self, limits: &Limits) -> Response<Body> {
        let code = format!(
            "ERR_GUEST_{}",
            self.reason().replace('-', "_").to_uppercase()
        );
        let body =
            serde_json::json!({ "errorCode": code, "message": self.message(limits) }).to_string();
        let mut response = Response::new(
            Full::new(Bytes::from(body))
                .map_err(|never| match never {})
                .boxed_unsync(),
        );
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert("berth-reason", HeaderValue::from_static(self.reason()));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
