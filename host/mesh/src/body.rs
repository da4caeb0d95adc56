//! Bodies on their way between hosts.

use berth_blocks::invocation::{Body, BodyError};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A body of no bytes.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that holds something until it has ended or nobody wants it any more.
pub(crate) struct Holding<B, G> {
    body: B,
    held: Option<G>,
}

impl<B: http_body::Body, G> Holding<B, G> {
    /// Nothing is held for a body that is over already.
    pub fn new(body: B, held: G) -> Self {
        let held = (!body.is_end_stream()).then_some(held);
        Self { body, held }
    }
}

impl<B, G> http_body::Body for Holding<B, G>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
    G: Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.held = None;
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How much of a body is kept for another host, in bytes.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// A body that can be sent again from its beginning as long as little of it was read: a host that turns out to be gone
/// may have taken the first frames with it.
#[derive(Clone)]
pub(crate) struct Resumable(Arc<Mutex<Source>>);

struct Source {
    body: Body,
    kept: Vec<Piece>,
    kept_bytes: usize,
    /// No longer whole: too much was read, or nobody will ask again.
    lost: bool,
    /// Counts readings: an earlier one must not go on.
    reading: u64,
}

#[derive(Clone)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Resumable {
    /// `None` for a body without a frame, which needs none of this.
    pub fn new(body: Body) -> Option<Self> {
        if http_body::Body::is_end_stream(&body) {
            return None;
        }
        Some(Self(Arc::new(Mutex::new(Source {
            body,
            kept: Vec::new(),
            kept_bytes: 0,
            lost: false,
            reading: 0,
        }))))
    }

    /// The body from its beginning, if that is still possible. A reading before this one ends in an error.
    pub fn read(&self) -> Option<Body> {
        let mut source = self.0.lock();
        if source.lost {
            return None;
        }
        source.reading += 1;
        let reading = Reading {
            source: self.0.clone(),
            number: source.reading,
            again: source.kept.iter().cloned().collect(),
        };
        Some(reading.boxed_unsync())
    }

    /// Nobody will ask again: keeps nothing from now on.
    pub fn settle(&self) {
        self.0.lock().lose();
    }
}

impl Source {
    fn lose(&mut self) {
        self.lost = true;
        self.kept = Vec::new();
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let piece = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Piece::Data(data.clone()),
            (None, Some(trailers)) => Piece::Trailers(trailers.clone()),
            (None, None) => return,
        };
        if let Piece::Data(data) = &piece {
            self.kept_bytes += data.len();
        }
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.lose();
        } else {
            self.kept.push(piece);
        }
    }
}

/// One reading of a [`Resumable`].
struct Reading {
    source: Arc<Mutex<Source>>,
    number: u64,
    again: VecDeque<Piece>,
}

impl http_body::Body for Reading {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(piece) = self.again.pop_front() {
            return Poll::Ready(Some(Ok(match piece {
                Piece::Data(data) => Frame::data(data),
                Piece::Trailers(trailers) => Frame::trailers(trailers),
            })));
        }
        let mut source = self.source.lock();
        if source.reading != self.number {
            return Poll::Ready(Some(Err("the body is sent to another host".into())));
        }
        let polled = Pin::new(&mut source.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && !source.lost
        {
            source.keep(frame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.again.is_empty() && self.source.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let again: usize = self
            .again
            .iter()
            .map(|piece| match piece {
                Piece::Data(data) => data.len(),
                Piece::Trailers(_) => 0,
            })
            .sum();
        let again = u64::try_from(again).unwrap_or(u64::MAX);
        let rest = self.source.lock().body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(again));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(again));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::StreamBody;
    use proptest::prelude::*;

    fn of(pieces: Vec<Vec<u8>>) -> Body {
        let mut frames: Vec<Result<_, BodyError>> = pieces
            .into_iter()
            .map(|piece| Ok(Frame::data(Bytes::from(piece))))
            .collect();
        let mut trailers = HeaderMap::new();
        trailers.insert("sum", "1".parse().unwrap());
        frames.push(Ok(Frame::trailers(trailers)));
        StreamBody::new(stream::iter(frames)).boxed_unsync()
    }

    proptest! {
        /// However much was read before, a second reading gives the whole, or says that it cannot.
        #[test]
        fn a_second_reading_gives_the_whole(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40_000), 0..6),
            read in 0usize..8,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let whole = pieces.concat();
                let body = Resumable::new(of(pieces)).unwrap();
                let mut first = body.read().unwrap();
                let mut bytes = 0;
                for _ in 0..read {
                    let frame = first.frame().await;
                    let data = frame.and_then(|frame| frame.unwrap().into_data().ok());
                    bytes += data.map_or(0, |data| data.len());
                }
                match body.read() {
                    Some(second) => {
                        assert!(bytes <= KEPT_BYTES_MAX);
                        let second = second.collect().await.unwrap();
                        assert!(second.trailers().is_some());
                        assert_eq!(second.to_bytes(), whole);
                        let late = first.frame().await;
                        assert!(late.is_some_and(|frame| frame.is_err()));
                    }
                    None => assert!(bytes > KEPT_BYTES_MAX),
                }
            });
        }
    }

    #[tokio::test]
    async fn a_settled_body_is_read_on_but_not_again() {
        let body = Resumable::new(of(vec![vec![1], vec![2]])).unwrap();
        let first = body.read().unwrap();
        body.settle();
        assert_eq!(first.collect().await.unwrap().to_bytes(), vec![1, 2]);
        assert!(body.read().is_none());
    }

    #[test]
    fn a_body_without_frames_is_not_watched() {
        assert!(Resumable::new(empty()).is_none());
    }
}
