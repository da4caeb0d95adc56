//! OTLP: spans as protobuf, over HTTP or gRPC, to any collector of OpenTelemetry.
//!
//! gRPC is one unary call here: a POST over HTTP/2 whose body is five bytes and the message, and whose trailers say how
//! it ended.

mod encode;
mod protobuf;

use super::{
    Again, Batch, Export, Failed,
    client::{Answer, Client, Version},
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use berth_resources::{Otel, OtelProtocol};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use protobuf::{Field, fields, find};
use std::time::Duration;

const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

pub(super) struct Otlp {
    client: Client,
    protocol: OtelProtocol,
    headers: HeaderMap,
}

impl Otlp {
    pub(super) fn new(settings: &Otel) -> Result<Self, String> {
        let (url, version, content_type) = match settings.protocol {
            OtelProtocol::Grpc => (
                format!("{}{METHOD}", settings.endpoint.trim_end_matches('/')),
                Version::Http2,
                "application/grpc",
            ),
            OtelProtocol::Http => (
                http_url(&settings.endpoint),
                Version::Http1,
                "application/x-protobuf",
            ),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if settings.protocol == OtelProtocol::Grpc {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        for (name, value) in &settings.headers {
            let name = HeaderName::try_from(name.as_str());
            let value = HeaderValue::try_from(value.reveal());
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(
                    "a header of `otel.headers` cannot be sent: its value is not printable"
                        .to_owned(),
                );
            };
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(Self {
            client: Client::new(&url, version, settings.timeout)?,
            protocol: settings.protocol,
            headers,
        })
    }
}

/// The path that OTLP names, unless the document has one.
fn http_url(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    match rest.split_once('/') {
        Some((_, path)) if !path.is_empty() => endpoint.to_owned(),
        _ => format!("{scheme}://{}/v1/traces", rest.trim_end_matches('/')),
    }
}

#[async_trait]
impl Export for Otlp {
    fn kind(&self) -> &'static str {
        "otel"
    }

    fn address(&self) -> &str {
        self.client.address()
    }

    async fn send(&self, batch: &Batch) -> Result<usize, Failed> {
        let request = encode::request(batch).into_bytes();
        match self.protocol {
            OtelProtocol::Http => {
                let answer = self.post(request.into()).await?;
                answer.check()?;
                Ok(taken(&answer.body, batch.len()))
            }
            OtelProtocol::Grpc => {
                let answer = self.post(framed(&request)).await?;
                grpc_status(&answer)?;
                let message = answer.body.get(5..).unwrap_or_default();
                Ok(taken(message, batch.len()))
            }
        }
    }
}

impl Otlp {
    async fn post(&self, body: Bytes) -> Result<Answer, Failed> {
        self.client.post(&self.headers, body).await
    }
}

/// A collector may leave out spans of a batch that it took: `partial_success` says how many.
fn taken(answer: &[u8], sent: usize) -> usize {
    let rejected = bytes(answer, 1).and_then(|partial| match find(partial, 1)? {
        Field::Varint(count) => usize::try_from(count).ok(),
        _ => None,
    });
    sent.saturating_sub(rejected.unwrap_or_default())
}

fn bytes(message: &[u8], field: u64) -> Option<&[u8]> {
    match find(message, field)? {
        Field::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Not compressed, then the length.
fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

/// How a call ended: in the trailers, or in the headers of an answer without a body.
fn grpc_status(answer: &Answer) -> Result<(), Failed> {
    let text = |name: &str| {
        let value = answer
            .trailers
            .get(name)
            .or_else(|| answer.headers.get(name));
        value.and_then(|value| value.to_str().ok())
    };
    let code = text("grpc-status").and_then(|code| code.parse::<u8>().ok());
    let Some(code) = code else {
        answer.check()?;
        return Err(Failed::never(
            "the collector does not speak gRPC: set `otel.protocol` to `http`?",
        ));
    };
    let message = text("grpc-message").unwrap_or_default();
    let why = format!("the collector answered with gRPC status {code} {message}");
    let delay = text("grpc-status-details-bin").and_then(retry_delay);
    match (code, delay) {
        (0, _) => Ok(()),
        // Cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss.
        (1 | 4 | 8 | 10 | 11 | 14 | 15, Some(delay)) => Err(Failed {
            why,
            again: Again::After(delay),
        }),
        (1 | 4 | 10 | 11 | 14 | 15, None) => Err(Failed::later(why)),
        _ => Err(Failed::never(why)),
    }
}

/// The pause that a server asks for: a `google.rpc.RetryInfo` among the details of its `google.rpc.Status`.
fn retry_delay(details: &str) -> Option<Duration> {
    let status = STANDARD_NO_PAD.decode(details.trim_end_matches('=')).ok()?;
    let info = fields(&status).find_map(|(number, detail)| match detail {
        Field::Bytes(any) if number == 3 => {
            let is_info = bytes(any, 1)?.ends_with(b"google.rpc.RetryInfo");
            is_info.then(|| bytes(any, 2))?
        }
        _ => None,
    })?;
    let delay = bytes(info, 1)?;
    let part = |field| match find(delay, field) {
        Some(Field::Varint(value)) => value,
        _ => 0,
    };
    Some(Duration::new(part(1), u32::try_from(part(2)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use protobuf::Message;

    fn answer(lines: &[(&'static str, &str)]) -> Answer {
        let mut trailers = HeaderMap::new();
        for (name, value) in lines {
            trailers.insert(*name, value.parse().unwrap());
        }
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            trailers,
        }
    }

    fn again(lines: &[(&'static str, &str)]) -> Option<Again> {
        grpc_status(&answer(lines)).err().map(|failed| failed.again)
    }

    #[test]
    fn a_grpc_status_says_whether_to_come_again() {
        assert_eq!(again(&[("grpc-status", "0")]), None);
        assert_eq!(again(&[("grpc-status", "14")]), Some(Again::Later));
        assert_eq!(again(&[("grpc-status", "3")]), Some(Again::Never));
        assert_eq!(again(&[("grpc-status", "8")]), Some(Again::Never));
        assert_eq!(again(&[]), Some(Again::Never));
        let (mut delay, mut info) = (Message::new(), Message::new());
        info.message(1, delay.varint(1, 3));
        let (mut any, mut status) = (Message::new(), Message::new());
        any.bytes(1, "type.googleapis.com/google.rpc.RetryInfo")
            .message(2, &info);
        status.varint(1, 8).message(3, &any);
        let details = STANDARD_NO_PAD.encode(status.into_bytes());
        assert_eq!(
            again(&[("grpc-status", "8"), ("grpc-status-details-bin", &details)]),
            Some(Again::After(Duration::from_secs(3)))
        );
    }

    #[test]
    fn spans_that_a_collector_left_out_are_not_counted_as_taken() {
        let (mut partial, mut answer) = (Message::new(), Message::new());
        answer.message(1, partial.varint(1, 2).bytes(2, "too old"));
        assert_eq!(taken(&answer.into_bytes(), 5), 3);
        assert_eq!(taken(&[], 5), 5);
    }

    #[test]
    fn the_path_of_the_standard_stands_behind_a_bare_address() {
        for (given, expected) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://x/api/otlp", "https://x/api/otlp"),
        ] {
            assert_eq!(http_url(given), expected);
        }
    }
}
