//! Bodies with a limit: of a request on its way in, of a response on its way out while its guest still works.

use crate::{
    app::AppContext,
    failure::Failure,
    guard::{DeadlineGuard, Watched},
    run::{Driven, Run},
};
use berth_blocks::{
    Caller, clock,
    invocation::{self, BodyError},
};
use berth_telemetry::trace::Span;
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use wasmtime_wasi_http::{Error, WasiBody};

/// A request body that fails beyond a limit and remembers that it did.
pub(crate) struct LimitedRequest<B> {
    body: B,
    left: u64,
    exceeded: Arc<AtomicBool>,
}

impl<B> LimitedRequest<B> {
    pub(crate) fn new(body: B, limit: u64) -> (Self, Arc<AtomicBool>) {
        let exceeded = Arc::new(AtomicBool::new(false));
        (
            Self {
                body,
                left: limit,
                exceeded: exceeded.clone(),
            },
            exceeded,
        )
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for LimitedRequest<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let Poll::Ready(Some(frame)) = polled else {
            return polled.map(|_| None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                return Poll::Ready(Some(Err(Error::InternalError(Some(error.to_string())))));
            }
        };
        let size = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        match self.left.checked_sub(size) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                self.exceeded.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(Error::HttpRequestBodySize(None))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a body could not be read whole.
pub(crate) enum ReadError {
    TooLarge,
    Broken(BodyError),
}

/// The bytes of a whole body, at most `limit`.
pub(crate) async fn read(
    mut body: impl Body<Data = Bytes, Error = BodyError> + Unpin,
    limit: usize,
) -> Result<Bytes, ReadError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ReadError::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(ReadError::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// A response body that drives the guest which writes it.
pub(crate) struct GuestBody {
    pub(crate) body: WasiBody,
    /// Absent once the guest has finished.
    pub(crate) run: Option<Run>,
    pub(crate) left: u64,
    pub(crate) app: Arc<AppContext>,
    pub(crate) caller: Arc<Caller>,
    /// Of the call: it ends with the body.
    span: Span,
    /// What [`gather`](Self::gather) fetched and could not keep to itself.
    gathered: VecDeque<Frame<Bytes>>,
    /// Ends the connection of a client that does not read; set when the body turns out to be a stream.
    watched: Option<Watched>,
}

/// Bytes of an answer that are waited for before any of it is sent.
const GATHER_MAX: usize = 64 << 10;

impl GuestBody {
    pub(crate) fn new(
        body: WasiBody,
        run: Option<Run>,
        limit: u64,
        app: Arc<AppContext>,
        caller: Arc<Caller>,
        span: Span,
    ) -> Self {
        Self {
            span,
            body,
            run,
            left: limit,
            app,
            caller,
            gathered: VecDeque::new(),
            watched: None,
        }
    }

    /// Fetches what the guest writes before it first waits for something. Most answers end there: they need no stream,
    /// have a known length, and a guest that fails meanwhile still gets a status.
    ///
    /// # Errors
    /// Why the guest stopped.
    pub(crate) async fn gather(
        mut self,
        guard: Option<&DeadlineGuard>,
    ) -> Result<invocation::Body, Failure> {
        let mut size = 0;
        let ended = std::future::poll_fn(|context| {
            while size < GATHER_MAX {
                match self.poll_part(context) {
                    Poll::Pending => return Poll::Ready(Ok(false)),
                    Poll::Ready(None) => return Poll::Ready(Ok(true)),
                    Poll::Ready(Some(Err(failure))) => return Poll::Ready(Err(failure)),
                    Poll::Ready(Some(Ok(frame))) => {
                        let streams = frame.is_trailers();
                        size += frame.data_ref().map_or(0, Bytes::len);
                        self.gathered.push_back(frame);
                        if streams {
                            break;
                        }
                    }
                }
            }
            Poll::Ready(Ok(false))
        });
        if ended.await? {
            self.finish_in_background();
            return Ok(whole(std::mem::take(&mut self.gathered)));
        }
        self.watched = guard.map(|guard| guard.enter(self.caller.deadline));
        Ok(self.boxed_unsync())
    }

    /// The guest may work on after the last byte; it keeps its place and its limits while it does.
    fn finish_in_background(&mut self) {
        let Some(run) = self.run.take().filter(|run| !run.is_finished()) else {
            return;
        };
        let (app, caller) = (self.app.clone(), self.caller.clone());
        tokio::spawn(async move {
            if let Err(failure) = run.await {
                app.record(&failure, &caller);
            }
        });
    }

    /// What the guest has written; drives it while there is nothing.
    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let body = &mut self.body;
        let mut look = |context: &mut Context<'_>| {
            let polled = Pin::new(&mut *body).poll_frame(context);
            polled.map_err(|error| Failure::NoResponse(format!("response body: {error}")))
        };
        let Some(run) = self.run.as_mut() else {
            return look(context);
        };
        match std::task::ready!(run.drive(context, &mut look)) {
            // A guest that stopped breaks its body off: the reason is its own.
            Driven::Found(Some(Err(broken))) => {
                Poll::Ready(Some(Err(run.take_failure().unwrap_or(broken))))
            }
            // So does one that left its body open: the end of a store looks like that of a body.
            Driven::Found(None) => Poll::Ready(run.take_failure().map(Err)),
            Driven::Found(frame) => Poll::Ready(frame),
            Driven::Ended(Ok(())) => {
                self.run = None;
                look(context)
            }
            Driven::Ended(Err(failure)) => Poll::Ready(Some(Err(failure))),
        }
    }

    /// The next frame that is within the limit.
    fn poll_part(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let part: Option<Result<_, Failure>> =
            std::task::ready!(self.poll_body(context)).map(|frame| {
                let frame = frame?;
                let size = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                self.left = self.left.checked_sub(size).ok_or(Failure::ResponseBody)?;
                Ok(frame)
            });
        if let Some(Err(failure)) = &part {
            self.run = None;
            let reason = failure.reason();
            self.span.fail(reason, || reason.to_owned());
        }
        Poll::Ready(part)
    }
}

/// A body whose frames are all there.
fn whole(mut frames: VecDeque<Frame<Bytes>>) -> invocation::Body {
    let mut data = || frames.pop_front().and_then(|frame| frame.into_data().ok());
    let mut body = data().unwrap_or_default();
    if let Some(second) = data() {
        let mut joined = BytesMut::from(body);
        joined.extend_from_slice(&second);
        while let Some(next) = data() {
            joined.extend_from_slice(&next);
        }
        body = joined.freeze();
    }
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.gathered.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match std::task::ready!(self.poll_part(context)) {
            None => {
                self.finish_in_background();
                Poll::Ready(None)
            }
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(Err(failure)) => {
                self.app.record(&failure, &self.caller);
                Poll::Ready(Some(Err(failure.message(&self.app.app.limits).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.run.is_none() && self.gathered.is_empty() && self.body.is_end_stream()
    }
}

impl Drop for GuestBody {
    fn drop(&mut self) {
        // Whoever asked has all of it (an empty body, a HEAD request); else the client is gone and so is the guest.
        if self.body.is_end_stream() {
            self.finish_in_background();
        } else if self.run.is_some() && clock::instant() >= self.caller.deadline {
            // A client that stopped reading: nobody polls the body, so its connection was ended from outside.
            self.app.record(&Failure::WallTime, &self.caller);
        }
    }
}
