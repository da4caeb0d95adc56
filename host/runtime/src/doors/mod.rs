//! Doors for guests: each converts a WIT call, calls the block, converts back. No rule is applied here.

pub(crate) mod config;
pub(crate) mod invocation;
pub(crate) mod keyvalue;
pub(crate) mod pubsub;
pub(crate) mod script;
pub(crate) mod secrets;
pub(crate) mod state;
pub(crate) mod telemetry;
pub(crate) mod workflow;
