//! Bounds of an instance. What a workflow can see of them never changes within a version of the contract: a history
//! recorded under other bounds would not replay.

/// Bytes of one input, result or event.
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;
/// Bytes of a payload above which it is kept beside its event.
pub const INLINE_PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of the name of a workflow, activity, event or patch.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of an instance ID.
pub const ID_BYTES_MAX: usize = 255;
/// Bytes of a custom status.
pub const CUSTOM_STATUS_BYTES_MAX: usize = 16 << 10;
/// Operations of an instance that are pending at the same time.
pub const PENDING_OPERATIONS_MAX: usize = 10_000;
/// External events of an instance that nobody has waited for.
pub const BUFFERED_EVENTS_MAX: usize = 10_000;
/// Events of a history above which the instance stalls. A workflow that goes on for ever continues as new before.
pub const HISTORY_EVENTS_MAX: u64 = 50_000;
/// Events of a history above which the log suggests to continue as new.
pub const HISTORY_EVENTS_WARN: u64 = 10_000;
/// Bytes of the message of a failure; the rest is cut.
pub const FAILURE_BYTES_MAX: usize = 16 << 10;
