//! Bodies: streamed, counted, and not finished.

use crate::bindings::wasi::http::types::{Fields, IncomingRequest, ResponseOutparam};
use crate::bindings::wasi::io::streams::StreamError;
use crate::exhaustion;
use crate::http::{self, Body};
use crate::stall;

const CHUNK: u64 = 64 * 1024;

/// Hands each chunk of the request's body to `take`, until the end or the first error.
fn read(
    request: IncomingRequest,
    mut take: impl FnMut(&[u8]) -> Result<(), StreamError>,
) -> Result<(), StreamError> {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => take(&chunk)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

pub fn echo(request: IncomingRequest, outparam: ResponseOutparam) {
    let body = Body::start(outparam, 200, Fields::new());
    if read(request, |chunk| body.write(chunk)).is_ok() {
        body.finish();
    }
}

pub fn count(request: IncomingRequest, outparam: ResponseOutparam) {
    let mut bytes = 0;
    let outcome = read(request, |chunk| {
        bytes += chunk.len();
        Ok(())
    });
    match outcome {
        Ok(()) => http::answer(outparam, 200, &bytes.to_string()),
        Err(error) => http::answer(outparam, 500, &format!("after {bytes} bytes: {error:?}")),
    }
}

pub fn big(outparam: ResponseOutparam, bytes: u64) {
    let body = Body::start(outparam, 200, Fields::new());
    let chunk = [b'x'; CHUNK as usize];
    let mut rest = bytes;
    while rest > 0 {
        let now = rest.min(CHUNK);
        if body.write(&chunk[..now as usize]).is_err() {
            return;
        }
        rest -= now;
    }
    body.finish();
}

/// Sends a beginning, and stops.
pub fn abandon(outparam: ResponseOutparam, bytes: u64) -> ! {
    let body = Body::start(outparam, 200, Fields::new());
    let _ = body.write(&vec![b'x'; bytes as usize]);
    exhaustion::trap()
}

/// Sends a beginning and never the rest.
pub fn stall_writing(outparam: ResponseOutparam) {
    let body = Body::start(outparam, 200, Fields::new());
    let _ = body.write(b"first");
    let _ = body.flush();
    stall();
}

/// Takes the beginning of the request and never the rest.
pub fn stall_reading(request: IncomingRequest) {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let _ = stream.blocking_read(CHUNK);
    stall();
}
