//! Drivers that keep everything in the memory of this process: for tests, and for what may be lost.

mod pubsub;
mod state;
mod workflow;

pub use workflow::{InMemoryWorkflows, RowCounts};

use crate::registry::Driver;

/// The drivers that need no engine: `state.in-memory`, `pubsub.in-memory`.
#[must_use]
pub fn in_memory() -> Vec<Driver> {
    vec![state::driver(), pubsub::driver()]
}
