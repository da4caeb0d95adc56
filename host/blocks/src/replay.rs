//! Requests to apps that can be sent again: what streams through is kept while it is small enough.

use crate::invocation::{Body, BodyError};
use berth_resiliency::Input;
use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Bytes of a body without a known length that are kept for another attempt.
const STREAMED_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a body of known length that are kept (what Dapr takes at most).
const BYTES_MAX: u64 = 4 << 20;

/// A request for one attempt, and perhaps for others.
pub(crate) struct Replay {
    head: Parts,
    body: ReplayBody,
}

enum ReplayBody {
    /// Nobody asked for a second attempt.
    Once(Body),
    Kept(Reader),
}

impl From<Request<Body>> for Replay {
    fn from(request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        let body = ReplayBody::Once(body);
        Self { head, body }
    }
}

impl Replay {
    /// The request for an attempt that begins now. The attempt before it reads nothing more.
    pub(crate) fn into_request(self) -> Request<Body> {
        let body = match self.body {
            ReplayBody::Once(body) => body,
            ReplayBody::Kept(reader) => {
                reader.shared.lock().reader = reader.number;
                reader.boxed_unsync()
            }
        };
        Request::from_parts(self.head, body)
    }
}

impl Input for Replay {
    fn spare(&mut self) -> Self {
        let none = ReplayBody::Once(http_body_util::Empty::new().map_err(never).boxed_unsync());
        let own = match std::mem::replace(&mut self.body, none) {
            ReplayBody::Once(body) => Reader::first(body),
            ReplayBody::Kept(reader) => reader,
        };
        let next = own.next();
        self.body = ReplayBody::Kept(own);
        Self {
            head: self.head.clone(),
            body: ReplayBody::Kept(next),
        }
    }

    fn is_whole(&self) -> bool {
        match &self.body {
            ReplayBody::Once(_) => true,
            ReplayBody::Kept(reader) => reader.shared.lock().is_whole,
        }
    }
}

fn never(never: std::convert::Infallible) -> BodyError {
    match never {}
}

/// A body that several attempts read, one after the other: what was kept first, then what is still to come.
struct Reader {
    shared: Arc<Mutex<Kept>>,
    number: u32,
    /// Frames of `kept` that it has read.
    read: usize,
    /// What was known of the length before the first frame; nothing after it.
    size: SizeHint,
}

struct Kept {
    source: Body,
    /// Which reader may read.
    reader: u32,
    /// Data in its order.
    kept: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    /// Bytes that may still be kept.
    room: u64,
    /// Nothing was left out.
    is_whole: bool,
    ended: bool,
}

impl Reader {
    fn first(source: Body) -> Self {
        let size = source.size_hint();
        let room = match size.exact() {
            Some(length) if length <= BYTES_MAX => length,
            Some(_) => 0,
            None => STREAMED_BYTES_MAX,
        };
        let kept = Kept {
            ended: source.is_end_stream(),
            source,
            reader: 0,
            kept: Vec::new(),
            trailers: None,
            room,
            is_whole: true,
        };
        Self {
            shared: Arc::new(Mutex::new(kept)),
            number: 0,
            read: 0,
            size,
        }
    }

    /// For the attempt after this one.
    fn next(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            number: self.number.saturating_add(1),
            read: 0,
            size: self.size,
        }
    }
}

impl Kept {
    /// The next frame of the source.
    fn poll_source(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.source).poll_frame(context);
        if let Poll::Ready(frame) = &polled {
            match frame {
                None => self.ended = true,
                // What broke off cannot be had once more.
                Some(Err(_)) => self.forget(),
                Some(Ok(frame)) => self.keep(frame),
            }
        }
        polled
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
            self.ended = true;
        }
        let Some(data) = frame.data_ref().filter(|_| self.is_whole) else {
            return;
        };
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        match self.room.checked_sub(length) {
            Some(room) => {
                self.room = room;
                self.kept.push(data.clone());
            }
            None => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.is_whole = false;
        self.kept = Vec::new();
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let shared = self.shared.clone();
        let mut kept = shared.lock();
        if kept.reader != self.number {
            let error = "another attempt sends this body now";
            return Poll::Ready(Some(Err(error.into())));
        }
        let size = std::mem::take(&mut self.size);
        if let Some(data) = kept.kept.get(self.read) {
            self.read += 1;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        if kept.ended {
            let trailers = kept.trailers.clone().filter(|_| self.read != usize::MAX);
            self.read = usize::MAX;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let polled = kept.poll_source(context);
        if polled.is_pending() {
            self.size = size;
            return polled;
        }
        self.read = match &polled {
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => usize::MAX,
            _ => kept.kept.len(),
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        let kept = self.shared.lock();
        let all_read = self.read >= kept.kept.len();
        let trailers_read = kept.trailers.is_none() || self.read == usize::MAX;
        kept.ended && all_read && trailers_read
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

#[cfg(test)]
mod tests;
