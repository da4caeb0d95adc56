//! The building blocks: what a door may ask for, which rules apply, and what a backend must do.
//!
//! ```text
//! door ──▶ Blocks::state / publish / secrets / invoke ──▶ pipeline (who may, span, metric, log) ──▶ dyn backend trait
//! backend ──▶ delivery (routing rules, retries, dead letters) ──▶ dyn Deliver (a guest's export)
//! ```
//!
//! One module per block; each shows its trait, its one error enum and its request types. Doors hold a [`Blocks`] and a
//! [`Caller`]; drivers implement the traits and are listed in a [`Registry`].

mod backend;
mod blocks;
mod caller;
pub mod cloudevents;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod delivery;
mod handles;
pub mod invocation;
mod keys;
pub mod limits;
pub mod memory;
pub mod open;
mod pipeline;
pub mod pubsub;
pub mod registry;
mod scopes;
pub mod secrets;
pub mod state;

pub use backend::{Backend, Backends, Block, Failure, Opening};
pub use blocks::{BackendStatus, Blocks, Health, VisibleBackend};
pub use caller::Caller;
pub use cloudevents::CloudEvent;
pub use delivery::{
    Deliver, Deliveries, Delivery, DeliveryOutcome, PlannedSubscription, RunningSubscription,
};
pub use handles::{
    BulkMessage, DeleteItem, Invoker, Message, PublishOptions, Publisher, Secrets, SetItem, State,
    StateOperation, Topics,
};
pub use keys::KeyPrefix;
pub use memory::in_memory;
pub use open::{OpenPlan, check, check_secrets, embedded_defaults, open};
pub use scopes::{TopicRules, TopicScopes, TopicUse, topic_list};
