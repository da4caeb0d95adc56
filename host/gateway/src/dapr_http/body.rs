//! Bodies that are read as a whole, and the JSON in them.

use super::Call;
use berth_blocks::invocation::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::value::RawValue;
use std::time::Duration;

/// What Dapr says of a body over `--max-body-size`.
pub(super) const TOO_LARGE: &str = "stream too large";

/// How long the rest of a refused body is read.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads a body of at most `limit` bytes; the error is a sentence.
pub(super) async fn read(call: Call, limit: usize) -> Result<Bytes, String> {
    let is_refused = is_too_large(&call, limit);
    let mut body = call.body;
    if !is_refused && let Some(read) = collect(&mut body, limit).await? {
        return Ok(read);
    }
    // A client that is still sending would see its connection reset, not the answer.
    let rest = discard(body, limit.saturating_mul(2));
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, rest).await;
    Err(TOO_LARGE.to_owned())
}

/// The whole body, or `None` as soon as it is over the limit. A body that comes in one piece is not copied.
async fn collect(body: &mut Body, limit: usize) -> Result<Option<Bytes>, String> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        length += piece.len();
        if length > limit {
            return Ok(None);
        }
        pieces.push(piece);
    }
    Ok(Some(match pieces.len() {
        0 | 1 => pieces.pop().unwrap_or_default(),
        _ => pieces.concat().into(),
    }))
}

/// Reads what is left, but not much more than `most`.
async fn discard(mut body: Body, most: usize) {
    let mut left = most;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// Whether the request says itself that its body is over the limit.
pub(super) fn is_too_large(call: &Call, limit: usize) -> bool {
    usize::try_from(call.body.size_hint().lower()).is_ok_and(|least| least > limit)
}

/// The text of a JSON value without the blanks between its parts. A value without blanks that makes up most of its body
/// is not copied.
pub(super) fn compact(value: &RawValue, body: &Bytes) -> Bytes {
    let text = value.get().as_bytes();
    let spread = spread(text);
    if !spread && text.len() >= body.len() / 2 {
        return body.slice_ref(text);
    }
    if !spread {
        return Bytes::copy_from_slice(text);
    }
    let mut compact = Vec::with_capacity(text.len());
    parts(text, |byte| compact.push(byte));
    compact.into()
}

/// Whether there is a blank between the parts of a JSON text.
fn spread(text: &[u8]) -> bool {
    let mut kept = 0;
    parts(text, |_| kept += 1);
    kept != text.len()
}

/// Every byte of a valid JSON text that is no blank between its parts.
fn parts(text: &[u8], mut keep: impl FnMut(u8)) {
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            continue;
        } else {
            in_string = byte == b'"';
        }
        keep(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_between_parts_go_and_everything_else_stays() {
        for (text, expected) in [
            (
                "{ \"b\" : [ 1 ,2.50 ],\n\"a\": \"x \\\" y\" }",
                "{\"b\":[1,2.50],\"a\":\"x \\\" y\"}",
            ),
            (" \"a b\" ", "\"a b\""),
            ("12345678901234567890", "12345678901234567890"),
            ("\"\\\\\" ", "\"\\\\\""),
        ] {
            let body = Bytes::from_static(text.as_bytes());
            let value: &RawValue = serde_json::from_slice(&body).unwrap();
            assert_eq!(compact(value, &body), expected, "{text}");
        }
    }
}
