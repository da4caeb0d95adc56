//! Answers that come before their request was received to its end.
//!
//! HTTP/1.1 sends one message after the other: a connection whose request was answered before it was received cannot
//! carry another one. The server closes it then, and must have said so, since a client that keeps the connection loses
//! its next request.

use berth_blocks::invocation;
use http::{HeaderMap, HeaderValue, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

/// Knows whether a request was received to its end.
pub(crate) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Watches a request body. Nearly every request has none, or shares its connection with others (HTTP/2): nothing to
    /// watch then.
    pub fn watch(version: Version, body: Incoming) -> (invocation::Body, Option<Self>) {
        if body.is_end_stream() || version >= Version::HTTP_2 {
            return (body.map_err(Into::into).boxed_unsync(), None);
        }
        let received = Arc::new(AtomicBool::new(false));
        let watched = Watched {
            body,
            received: received.clone(),
        };
        let body = watched.map_err(Into::into).boxed_unsync();
        (body, Some(Self(received)))
    }

    /// Tells the client if the connection ends with this answer.
    pub fn announce(self, answer: &mut HeaderMap) {
        if !self.0.load(Ordering::Acquire) {
            answer.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

struct Watched {
    body: Incoming,
    received: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let ended = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            _ => false,
        };
        if ended {
            self.received.store(true, Ordering::Release);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
