//! Where spans go: one exporter per destination of a Configuration, each with a bounded queue and a task of its own.
//!
//! ```text
//! Tracing::configure (documents) ──▶ Exporters of a Configuration ──▶ Recorder of each of its apps
//! span ended ──▶ queue (bounded; full: dropped and counted) ──▶ batch ──▶ encode ──▶ collector (retries, backoff)
//! ```
//!
//! A request never waits for a collector. The formats are written here, and sent with the HTTP client that the host has
//! anyway: the OpenTelemetry crates would bring a second span model and a second batch processor along, and tonic a
//! second HTTP stack, for three kinds of request.

mod azure;
mod client;
mod otlp;
mod queue;
mod stdout;
mod tracing;
mod zipkin;

pub use tracing::{TracedApp, Tracing};

use crate::trace::SpanRecord;
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};

/// Spans on their way.
pub(crate) type Batch = [Arc<SpanRecord>];

/// One destination. Makes one attempt: when to make another one is the queue's business.
#[async_trait]
pub(crate) trait Export: Send + Sync + 'static {
    /// As metrics and the log name it.
    fn kind(&self) -> &'static str;

    /// Where it is, for the log: never a key.
    fn address(&self) -> &str;

    /// Sends a batch. Returns how many spans of it were taken.
    async fn send(&self, batch: &Batch) -> Result<usize, Failed>;
}

/// Why a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) why: String,
    pub(crate) again: Again,
}

/// Whether another attempt may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// The collector does not want this batch.
    Never,
    /// After a pause of our choice.
    Later,
    /// After the pause that the collector asked for.
    After(Duration),
}

impl Failed {
    pub(crate) fn later(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            again: Again::Later,
        }
    }

    pub(crate) fn never(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            again: Again::Never,
        }
    }
}

/// Nanoseconds since 1970, as every format but one counts.
pub(crate) fn nanos(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod samples {
    //! Spans for the tests of formats.

    use crate::trace::{Service, SpanContext, SpanKind, SpanRecord, Status};
    use std::{
        sync::Arc,
        time::{Duration, UNIX_EPOCH},
    };

    /// A client span with an attribute and an event, which failed.
    pub(crate) fn failed_call() -> Arc<SpanRecord> {
        let context: SpanContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .unwrap();
        let mut record = SpanRecord {
            service: Arc::new(Service {
                namespace: "shop".to_owned(),
                name: "order-service".to_owned(),
            }),
            context,
            parent: Some([1, 2, 3, 4, 5, 6, 7, 8]),
            kind: SpanKind::Client,
            name: "state.get statestore".into(),
            began: UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456),
            took: Duration::from_micros(1_500),
            attributes: Vec::new(),
            events: Vec::new(),
            links: vec![context.child()],
            left_out: 0,
            status: Status::Error("timeout".to_owned()),
            carried: None,
        };
        record.set("db.system.name".into(), "redis".into());
        record.set("berth.attempts".into(), 3_u32.into());
        record.add_event("tried".to_owned(), vec![("n".into(), true.into())]);
        record.events[0].at = record.began + Duration::from_micros(10);
        Arc::new(record)
    }

    /// A server span at the beginning of a trace.
    pub(crate) fn request() -> Arc<SpanRecord> {
        let mut record = SpanRecord::clone(&failed_call());
        record.kind = SpanKind::Server;
        record.parent = None;
        record.name = "POST".into();
        record.status = Status::Unset;
        record.events.clear();
        record.links.clear();
        record.attributes.clear();
        record.set("http.response.status_code".into(), 201_u16.into());
        Arc::new(record)
    }
}
