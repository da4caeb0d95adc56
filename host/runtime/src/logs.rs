//! stdout and stderr of guests become log records with app ID and trace ID, within a budget.
//!
//! A line is one record. A token bucket (`limits.logRate`, bursts of ten times that) bounds what one app may write; what
//! is over is counted and reported once a second. Writing never blocks the guest.

use berth_resources::{AppId, Namespace};
use berth_telemetry::trace::SpanContext;
use berth_workflow::Context as Workflow;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// Longest line of one record, in bytes; the rest of a longer line follows as further records.
const LINE_MAX: usize = 8 << 10;
/// What a guest may hand over in one write.
const WRITE_MAX: usize = 64 << 10;

/// The log budget of one app, shared by its instances.
#[derive(Debug)]
pub(crate) struct LogBudget {
    namespace: Namespace,
    app: AppId,
    /// Bytes per second.
    rate: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    dropped: u64,
    reported: Option<Instant>,
}

/// Bursts may be this many seconds of the rate.
const BURST: f64 = 10.0;

impl LogBudget {
    pub(crate) fn new(namespace: Namespace, app: AppId, bytes_per_second: u64) -> Self {
        let rate = bytes_per_second as f64;
        let bucket = Bucket {
            tokens: rate * BURST,
            filled: Instant::now(),
            dropped: 0,
            reported: None,
        };
        Self {
            namespace,
            app,
            rate,
            bucket: Mutex::new(bucket),
        }
    }

    /// Takes `size` bytes of the budget. Over it, the line is dropped, and the first one of a second says so.
    pub(crate) fn take(&self, size: usize) -> bool {
        let now = Instant::now();
        let mut bucket = self.bucket.lock();
        let refill = now.duration_since(bucket.filled).as_secs_f64() * self.rate;
        bucket.tokens = (bucket.tokens + refill).min(self.rate * BURST);
        bucket.filled = now;
        if bucket.tokens >= size as f64 {
            bucket.tokens -= size as f64;
            return true;
        }
        bucket.dropped += 1;
        let due = bucket
            .reported
            .is_none_or(|last| now.duration_since(last) > Duration::from_secs(1));
        let dropped = bucket.dropped;
        if due {
            bucket.reported = Some(now);
            bucket.dropped = 0;
        }
        drop(bucket);
        metrics::counter!("berth_guest_log_lines_dropped_total", "namespace" => self.namespace.to_string(), "app" => self.app.to_string())
            .increment(1);
        if due {
            tracing::warn!(
                app = %self.app, namespace = %self.namespace, reason = "log-volume", dropped,
                "guest writes more than limits.logRate allows: lines are dropped"
            );
        }
        false
    }
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// One output stream of one instance. The trace ID is that of the call that the instance serves now.
#[derive(Clone)]
pub(crate) struct GuestLog {
    budget: Arc<LogBudget>,
    stream: Stream,
    state: Arc<Mutex<LineState>>,
    /// A workflow that repeats what it wrote before is not heard.
    muted_by: Option<Workflow>,
}

struct LineState {
    line: Vec<u8>,
    trace: SpanContext,
}

impl GuestLog {
    pub(crate) fn new(budget: Arc<LogBudget>, stream: Stream, trace: SpanContext) -> Self {
        Self {
            budget,
            stream,
            muted_by: None,
            state: Arc::new(Mutex::new(LineState {
                line: Vec::new(),
                trace,
            })),
        }
    }

    /// The same stream, silent while the workflow is being replayed.
    pub(crate) fn muted_by(&self, workflow: Workflow) -> Self {
        Self {
            muted_by: Some(workflow),
            ..self.clone()
        }
    }

    /// The instance serves another call from now on.
    pub(crate) fn serve(&self, trace: SpanContext) {
        self.finish();
        self.state.lock().trace = trace;
    }

    /// Emits a line that was not ended.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        if !state.line.is_empty() {
            let line = std::mem::take(&mut state.line);
            self.emit(&line, state.trace);
        }
    }

    fn push(&self, mut bytes: &[u8]) {
        if self.muted_by.as_ref().is_some_and(Workflow::is_replaying) {
            return;
        }
        let mut state = self.state.lock();
        while !bytes.is_empty() {
            let room = LINE_MAX - state.line.len();
            let window = &bytes[..bytes.len().min(room)];
            let (part, ended) = match window.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&window[..end], true),
                None => (window, window.len() == room),
            };
            state.line.extend_from_slice(part);
            let skip = part.len() + usize::from(part.len() < window.len());
            bytes = &bytes[skip..];
            if ended {
                let line = std::mem::take(&mut state.line);
                self.emit(&line, state.trace);
            }
        }
    }

    fn emit(&self, line: &[u8], trace: SpanContext) {
        if !self.budget.take(line.len() + 1) {
            return;
        }
        let text = String::from_utf8_lossy(line);
        let trace_id = trace.trace_id();
        let (app, namespace) = (self.budget.app.as_str(), self.budget.namespace.as_str());
        match self.stream {
            Stream::Stdout => {
                tracing::info!(target: "guest", app, namespace, trace_id, stream = "stdout", "{text}")
            }
            Stream::Stderr => {
                tracing::warn!(target: "guest", app, namespace, trace_id, stream = "stderr", "{text}")
            }
        }
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_MAX)
    }
}

#[async_trait::async_trait]
impl Pollable for GuestLog {
    async fn ready(&mut self) {}
}

impl AsyncWrite for GuestLog {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let size = bytes.len().min(WRITE_MAX);
        self.push(&bytes[..size]);
        Poll::Ready(Ok(size))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
