//! Answers of a host that are not the app's: an error of invocation on its way to the caller's host.

use crate::headers::{REFUSAL, say};
use berth_blocks::invocation::{Body, InvokeError};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};

/// The longest text of a refusal that is read, in bytes.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// Why the host that was called did not let the app answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has no such app: what the resolver says is out of date.
    NoSuchApp,
    /// It is about to stop and takes nothing new.
    Draining,
    /// The request was for another app than the connection.
    Misdirected,
    /// The app was asked, and its runtime gave this error.
    Failed(Kind),
}

/// The cases of `InvokeError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    Denied,
    Invalid,
    Undelivered,
    Unavailable,
    Timeout,
    TooLarge,
    Other,
}

/// Value of the header, status.
const CODES: [(Refusal, &str, StatusCode); 11] = [
    (Refusal::NoSuchApp, "no-such-app", StatusCode::NOT_FOUND),
    (
        Refusal::Draining,
        "draining",
        StatusCode::SERVICE_UNAVAILABLE,
    ),
    (
        Refusal::Misdirected,
        "misdirected",
        StatusCode::MISDIRECTED_REQUEST,
    ),
    (
        Refusal::Failed(Kind::NotFound),
        "not-found",
        StatusCode::NOT_FOUND,
    ),
    (
        Refusal::Failed(Kind::Denied),
        "denied",
        StatusCode::FORBIDDEN,
    ),
    (
        Refusal::Failed(Kind::Invalid),
        "invalid",
        StatusCode::BAD_REQUEST,
    ),
    (
        Refusal::Failed(Kind::Undelivered),
        "undelivered",
        StatusCode::SERVICE_UNAVAILABLE,
    ),
    (
        Refusal::Failed(Kind::Unavailable),
        "unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
    ),
    (
        Refusal::Failed(Kind::Timeout),
        "timeout",
        StatusCode::GATEWAY_TIMEOUT,
    ),
    (
        Refusal::Failed(Kind::TooLarge),
        "too-large",
        StatusCode::PAYLOAD_TOO_LARGE,
    ),
    (
        Refusal::Failed(Kind::Other),
        "other",
        StatusCode::INTERNAL_SERVER_ERROR,
    ),
];

impl Refusal {
    /// The value of the header.
    pub fn code(self) -> &'static str {
        CODES
            .iter()
            .find(|(refusal, ..)| *refusal == self)
            .map_or("other", |(_, code, _)| code)
    }

    /// The refusal that an answer is, if it is one. An unknown code of a later version is `Other`.
    pub fn of(response: &Response<impl Sized>) -> Option<Self> {
        let code = response.headers().get(&REFUSAL)?;
        let known = CODES.iter().find(|(_, known, _)| code == known);
        Some(known.map_or(Self::Failed(Kind::Other), |(refusal, ..)| *refusal))
    }

    /// The answer that says it.
    pub fn response(self, text: &str) -> Response<Body> {
        let status = CODES
            .iter()
            .find(|(refusal, ..)| *refusal == self)
            .map_or(StatusCode::INTERNAL_SERVER_ERROR, |(.., status)| *status);
        let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
        let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = status;
        say(response.headers_mut(), &REFUSAL, self.code());
        response
    }
}

impl From<&InvokeError> for Refusal {
    fn from(error: &InvokeError) -> Self {
        Self::Failed(match error {
            InvokeError::NotFound(_) => Kind::NotFound,
            InvokeError::Denied(_) => Kind::Denied,
            InvokeError::Invalid(_) => Kind::Invalid,
            InvokeError::Undelivered(_) => Kind::Undelivered,
            InvokeError::Unavailable(_) => Kind::Unavailable,
            InvokeError::Timeout(_) => Kind::Timeout,
            InvokeError::TooLarge(_) => Kind::TooLarge,
            InvokeError::Other(_) => Kind::Other,
        })
    }
}

impl Kind {
    /// The error with this text.
    pub fn error(self, text: String) -> InvokeError {
        match self {
            Self::NotFound => InvokeError::NotFound(text),
            Self::Denied => InvokeError::Denied(text),
            Self::Invalid => InvokeError::Invalid(text),
            Self::Undelivered => InvokeError::Undelivered(text),
            Self::Unavailable => InvokeError::Unavailable(text),
            Self::Timeout => InvokeError::Timeout(text),
            Self::TooLarge => InvokeError::TooLarge(text),
            Self::Other => InvokeError::Other(text),
        }
    }
}

/// The text of a refusal; what is broken or too long is left out.
pub(crate) async fn text_of(response: Response<Body>) -> String {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > TEXT_BYTES_MAX {
            break;
        }
        bytes.extend_from_slice(&data);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_refusal_is_understood_by_the_caller() {
        for (refusal, code, status) in CODES {
            let response = refusal.response("why");
            assert_eq!(response.status(), status);
            assert_eq!(Refusal::of(&response), Some(refusal), "{code}");
            assert_eq!(text_of(response).await, "why");
        }
    }

    #[test]
    fn an_answer_of_the_app_is_no_refusal() {
        assert_eq!(Refusal::of(&Response::new(())), None);
        let later = Response::builder().header(&REFUSAL, "of-a-later-version");
        assert_eq!(
            Refusal::of(&later.body(()).unwrap()),
            Some(Refusal::Failed(Kind::Other))
        );
    }
}
