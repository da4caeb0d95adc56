//! Logs, metrics and trace identity of a host.
//!
//! ```text
//! tracing events ──▶ filter (--log-level, RUST_LOG) ──▶ record ──▶ text or JSON line ──▶ writer thread ──▶ stderr
//! metrics! macros ──▶ Prometheus recorder ──▶ GET /metrics of the admin API
//! ```
//!
//! Guests' output arrives as events with the target `guest` and the fields `app`, `namespace`, `trace_id` and `stream`;
//! the text format shows it under the app's name.

mod json;
mod logging;
mod metrics;
mod record;
mod text;
mod traceparent;

pub use logging::{LogFormat, LogGuard, LogLevel, LogOptions, init_logging};
pub use metrics::Metrics;
pub use traceparent::Traceparent;
