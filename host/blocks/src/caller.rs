//! On whose behalf a call is made.

use berth_resources::{AppId, Namespace};
use std::{sync::Arc, time::Instant};

/// Who calls: fixed when a request or message is admitted, shared by every block call that the guest makes for it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant.
    pub namespace: Namespace,
    /// The app.
    pub app: AppId,
    /// W3C `traceparent` of the request or message.
    pub traceparent: Arc<str>,
    /// When the call as a whole must have ended.
    pub deadline: Instant,
}
