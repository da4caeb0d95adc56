//! Bodies with a limit: of a request on its way in, of a response on its way out while its guest still works.

use crate::{app::AppContext, failure::Failure, guard::Watched, run::Run};
use berth_blocks::{Caller, invocation::BodyError};
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
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
    pub(crate) _watched: Option<Watched>,
}

impl GuestBody {
    /// The guest may work on after the last byte; it keeps its place and its limits while it does.
    fn finish_in_background(&mut self) {
        let Some(run) = self.run.take() else { return };
        let (app, caller) = (self.app.clone(), self.caller.clone());
        tokio::spawn(async move {
            if let Err(failure) = run.await {
                app.record(&failure, &caller);
            }
        });
    }

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.run = None;
        self.app.record(&failure, &self.caller);
        Poll::Ready(Some(Err(failure.message(&self.app.app.limits).into())))
    }
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(run) = self.run.as_mut()
            && let Poll::Ready(ended) = Pin::new(run).poll(context)
        {
            self.run = None;
            if let Err(failure) = ended {
                return self.fail(failure);
            }
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.finish_in_background();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.fail(Failure::NoResponse(format!("response body: {error}")))
            }
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                match self.left.checked_sub(size) {
                    Some(left) => self.left = left,
                    None => return self.fail(Failure::ResponseBody),
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.run.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for GuestBody {
    fn drop(&mut self) {
        // Whoever asked has all of it (an empty body, a HEAD request); else the client is gone and so is the guest.
        if self.body.is_end_stream() {
            self.finish_in_background();
        } else if self.run.is_some() && Instant::now() >= self.caller.deadline {
            // A client that stopped reading: nobody polls the body, so its connection was ended from outside.
            self.app.record(&Failure::WallTime, &self.caller);
        }
    }
}
