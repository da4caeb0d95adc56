//! On whose behalf a call is made.

use berth_resources::{AppId, Namespace};
use berth_telemetry::trace::Trace;
use std::time::Instant;

/// Who calls: fixed when a request or message is admitted, shared by every block call that the guest makes for it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant.
    pub namespace: Namespace,
    /// The app.
    pub app: AppId,
    /// Where the request or message stands in its trace.
    pub trace: Trace,
    /// When the call as a whole must have ended.
    pub deadline: Instant,
}
