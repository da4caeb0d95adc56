//! What a door calls: one handle per block, each for one caller. A handle names its backend and resolves it at each
//! call, so that a hot swap takes effect; every call runs through the pipeline.

mod invoker;
mod pending;
mod publisher;
mod secrets;
mod state;
#[cfg(test)]
mod tests;
mod topics;
mod workflows;

pub use invoker::Invoker;
pub use publisher::{BulkMessage, Message, PublishOptions, Publisher};
pub use secrets::Secrets;
pub use state::{DeleteItem, SetItem, State, StateOperation};
pub use topics::Topics;
pub use workflows::Workflows;
