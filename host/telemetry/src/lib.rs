//! Logs, metrics and traces of a host.
//!
//! ```text
//! tracing events ──▶ levels (host, app, RUST_LOG) ──▶ record ──▶ text or JSON line ──▶ writer thread ──▶ stderr
//! metrics! macros ──▶ Prometheus recorder ──▶ GET /metrics of the admin API
//! Trace, Span ──▶ bounded queue per exporter ──▶ Zipkin, OTLP, Azure Monitor, standard output
//! ```
//!
//! Guests' output arrives as events with the target `guest` and the fields `app`, `namespace`, `trace_id` and `stream`;
//! the text format shows it under the app's name.

mod export;
mod json;
mod levels;
mod logging;
mod metrics;
mod record;
mod text;
pub mod trace;

pub use export::{TracedApp, Tracing};
pub use levels::LogLevels;
pub use logging::{LogFormat, LogGuard, LogLevel, LogOptions, init_logging};
pub use metrics::Metrics;
