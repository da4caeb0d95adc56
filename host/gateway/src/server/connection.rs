//! One connection of a client, on a task of its own.

use super::{Handle, unread::Unread};
use berth_blocks::invocation::Body;
use berth_runtime::DeadlineGuard;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Time for a client to send a request's head, which is also how long a connection may be idle.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests at the same time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// A silent HTTP/2 connection is probed this often, and closed if the probe is not answered as long.
const PROBE_INTERVAL: Duration = Duration::from_secs(20);

/// How connections are spoken to.
#[derive(Clone)]
pub(crate) struct Protocol {
    builder: auto::Builder<TokioExecutor>,
}

impl Protocol {
    /// A request whose head is longer than `head_bytes_max` is answered with 431.
    pub fn new(head_bytes_max: usize) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .max_buf_size(head_bytes_max);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
            .keep_alive_interval(PROBE_INTERVAL)
            .keep_alive_timeout(PROBE_INTERVAL);
        Self { builder }
    }
}

/// When connections end.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    /// Finish the request under way, then close.
    pub gently: CancellationToken,
    /// Close now.
    pub now: CancellationToken,
}

/// Serves a connection until either side closes it.
pub(crate) async fn serve<H: Handle>(
    stream: TcpStream,
    protocol: Protocol,
    handler: Arc<H>,
    stop: Stop,
) {
    // Answers are written whole: waiting for more would only add delay.
    let _ = stream.set_nodelay(true);
    let guard = DeadlineGuard::default();
    let service = service_fn(|request| {
        let (handler, guard) = (handler.clone(), guard.clone());
        async move { Ok::<_, Infallible>(answer(&*handler, request, guard).await) }
    });
    let conversation = async {
        let mut connection = pin!(
            protocol
                .builder
                .serve_connection(TokioIo::new(stream), service)
        );
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = stop.gently.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    ended = connection => ended,
                    () = stop.now.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            // A client that goes away or speaks no HTTP is its own affair.
            tracing::debug!(%error, "connection ended");
        }
    };
    guard.watch(conversation).await;
}

/// Answers one request.
async fn answer<H: Handle>(
    handler: &H,
    request: Request<Incoming>,
    guard: DeadlineGuard,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (body, unread) = Unread::watch(head.version, body);
    let request = Request::from_parts(head, body);
    let mut response = handler.handle(request, guard).await;
    if let Some(unread) = unread {
        unread.announce(response.headers_mut());
    }
    response
}
