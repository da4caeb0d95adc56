//! A collector of spans that keeps what it is sent: Zipkin, OTLP over HTTP and gRPC, Azure Monitor, told apart by path.
//!
//! It reads the formats by itself, from their definitions, so that a test finds what a real collector would find.

mod azure;
mod otlp;
mod protobuf;
mod span;
mod zipkin;

pub use span::{RecordedSpan, forest};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{HeaderName, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::{TcpListener, TcpStream};

/// A collector on a port of this machine, as long as it lives.
pub struct Collector {
    port: u16,
    kept: Arc<Mutex<Kept>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    spans: Vec<RecordedSpan>,
    headers: Vec<HeaderMap>,
    unreadable: Vec<String>,
    /// Statuses of the next answers, before everything is taken.
    refusals: Vec<u16>,
}

impl Collector {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound socket").port();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let task = tokio::spawn(accept(listener, kept.clone()));
        Self { port, kept, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that it was sent so far.
    #[must_use]
    pub fn spans(&self) -> Vec<RecordedSpan> {
        let kept = self.kept();
        assert_eq!(kept.unreadable, Vec::<String>::new());
        kept.spans.clone()
    }

    /// The headers of the requests so far.
    #[must_use]
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.kept().headers.clone()
    }

    /// Answers the next requests with these HTTP statuses, and keeps nothing of them.
    pub fn refuse(&self, statuses: &[u16]) {
        self.kept().refusals.extend(statuses);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, kept.clone()));
    }
}

async fn serve(stream: TcpStream, kept: Arc<Mutex<Kept>>) {
    let service = service_fn(move |request| take(request, kept.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    // A host that goes away in the middle is what some tests want.
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn take(request: Request<Incoming>, kept: Arc<Mutex<Kept>>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.headers.push(head.headers);
    if !kept.refusals.is_empty() {
        let status = kept.refusals.remove(0);
        return Ok(answer(status, Bytes::new()));
    }
    let body = body.unwrap_or_default();
    let (spans, answer) = match head.uri.path() {
        "/api/v2/spans" => (zipkin::read(&body), answer(202, Bytes::new())),
        "/v1/traces" => (otlp::read(&body), answer(200, Bytes::new())),
        otlp::METHOD => (otlp::read(body.get(5..).unwrap_or_default()), grpc_ok()),
        "/v2.1/track" => (azure::read(&body), answer(200, azure::taken(&body))),
        other => (
            Err(format!("no format at {other}")),
            answer(404, Bytes::new()),
        ),
    };
    match spans {
        Ok(spans) => kept.spans.extend(spans),
        Err(error) => kept.unreadable.push(error),
    }
    Ok(answer)
}

fn answer(status: u16, body: Bytes) -> Answer {
    let mut answer = Response::new(BoxBody::new(Full::new(body)));
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status of a test");
    answer
}

/// An empty message, and the trailers that say that it went well.
fn grpc_ok() -> Answer {
    let mut trailers = HeaderMap::new();
    trailers.insert(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    );
    let message = Frame::data(Bytes::from_static(&[0, 0, 0, 0, 0]));
    let frames = [Ok(message), Ok(Frame::trailers(trailers))];
    let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
    let mut answer = Response::new(BoxBody::new(body));
    answer.headers_mut().insert(
        HeaderName::from_static("content-type"),
        HeaderValue::from_static("application/grpc"),
    );
    answer
}
