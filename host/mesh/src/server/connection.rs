//! One connection of another host, on a task of its own.

use super::{
    handshake::{Accepted, Ends},
    limits::ServerLimits,
    refused,
    request::{Answering, Origin},
};
use crate::body::Holding;
use berth_blocks::invocation::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A silent connection is probed this often, and closed if the probe is not answered as long.
const PROBE_INTERVAL: Duration = Duration::from_secs(20);
/// What one request's body may have under way before the app reads it, in bytes.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same for all requests of a connection: apps that read slowly must not stop the others.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// When connections end.
#[derive(Clone, Default)]
pub(super) struct Stop {
    /// Take no new request, finish those under way, then close.
    pub gently: CancellationToken,
    /// Close now.
    pub now: CancellationToken,
}

/// How connections are spoken to.
pub(super) fn protocol(limits: &ServerLimits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.head_bytes_max)
        .max_pending_accept_reset_streams(limits.reset_streams_max)
        .max_local_error_reset_streams(limits.faulty_streams_max)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PROBE_INTERVAL)
        .keep_alive_timeout(PROBE_INTERVAL);
    builder
}

/// Serves a connection until either side closes it.
pub(super) async fn serve(
    accepted: Accepted,
    protocol: http2::Builder<TokioExecutor>,
    answering: Arc<Answering>,
    stop: Stop,
) {
    match accepted {
        Accepted::Mutual { stream, ends } => {
            let lifetime = ends.not_after.duration_since(SystemTime::now());
            let conversation = Conversation {
                origin: Origin::Certificate(ends),
                protocol,
                answering,
                stop,
                lifetime: Some(lifetime.unwrap_or_default()),
            };
            conversation.run(*stream).await;
        }
        Accepted::Plain(stream) => {
            let conversation = Conversation {
                origin: Origin::Claimed,
                protocol,
                answering,
                stop,
                lifetime: None,
            };
            conversation.run(stream).await;
        }
    }
}

struct Conversation {
    origin: Origin,
    protocol: http2::Builder<TokioExecutor>,
    answering: Arc<Answering>,
    stop: Stop,
    /// Until the caller's certificate ends.
    lifetime: Option<Duration>,
}

impl Conversation {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let activity = Arc::new(Activity::default());
        let origin = Arc::new(self.origin);
        let service = service_fn(|request| {
            let (answering, origin) = (self.answering.clone(), origin.clone());
            let active = Active::begin(&activity);
            // Boxed: hyper moves it several times until it is a task.
            Box::pin(async move {
                Ok::<_, Infallible>(answer(&answering, &origin, request, active).await)
            })
        });
        let mut connection = pin!(
            self.protocol
                .serve_connection(TokioIo::new(stream), service)
        );
        let idle = self.answering.limits.idle_timeout;
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = over(&self.stop, self.lifetime, &activity, idle) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    ended = connection => ended,
                    () = self.stop.now.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            if let Some(reason) = refused::of_connection(&error) {
                refused::count(reason);
            }
            tracing::debug!(%error, caller = %origin, "a connection of another host ended");
        }
    }
}

/// Until the connection should take nothing new.
async fn over(stop: &Stop, lifetime: Option<Duration>, activity: &Activity, idle: Duration) {
    let expired = async {
        match lifetime {
            Some(lifetime) => tokio::time::sleep(lifetime).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.gently.cancelled() => {}
        () = expired => {}
        () = activity.idle_for(idle) => {}
    }
}

async fn answer(
    answering: &Answering,
    origin: &Origin,
    request: Request<Incoming>,
    active: Active,
) -> Response<Body> {
    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    let response = answering.answer(origin, request).await;
    response.map(|body| Holding::new(body, active).boxed_unsync())
}

/// The requests under way on a connection.
#[derive(Default)]
struct Activity {
    requests: AtomicUsize,
    /// The last one has ended.
    rest: Notify,
}

impl Activity {
    /// Until there was no request for this long.
    async fn idle_for(&self, idle: Duration) {
        loop {
            let rest = self.rest.notified();
            if self.requests.load(Ordering::Acquire) > 0 {
                rest.await;
                continue;
            }
            let until = Instant::now() + idle;
            tokio::select! {
                () = tokio::time::sleep_until(until) => {
                    if self.requests.load(Ordering::Acquire) == 0 {
                        return;
                    }
                }
                () = rest => {}
            }
        }
    }
}

/// Counts a request until its answer has been sent.
struct Active(Arc<Activity>);

impl Active {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::AcqRel);
        Self(activity.clone())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.rest.notify_waiters();
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate(Ends { caller, .. }) => caller.fmt(f),
            Self::Claimed => f.write_str("a process of this machine"),
        }
    }
}
