//! The building blocks: what a door may ask for, which rules apply, and what a backend must do.
//!
//! ```text
//! door ──▶ Blocks::state / publisher / secrets / invoker ──▶ pipeline (span, metric, deadline, resiliency, who may) ──▶ backend trait
//! backend ──▶ delivery (routing rules, retries, dead letters) ──▶ dyn Deliver (a guest's export)
//! documents ──▶ check, open (templates, secrets, drivers) ──▶ Backends ──▶ Blocks::swap
//! ```
//!
//! One module per block ([`state`], [`pubsub`], [`secrets`], [`invocation`], and [`workflow`] for its stores); each shows
//! its trait, its one error enum and its request types. Doors hold a [`Blocks`] and a [`Caller`]; drivers implement the traits, are listed in a
//! [`Registry`](registry::Registry) and prove themselves with the suites of `conformance` (a cargo feature).

mod backend;
mod blocks;
mod caller;
pub mod clock;
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
mod replay;
pub mod resolution;
mod scopes;
pub mod secrets;
pub mod state;
pub mod workflow;

pub use backend::{Backend, Backends, Block, Failure, Opening, VisibleBackend, WorkflowBackend};
pub use berth_resiliency::{BreakerState, BreakerStatus};
pub use blocks::{BackendDescription, BackendStatus, Blocks, Health};
pub use caller::Caller;
pub use cloudevents::CloudEvent;
pub use delivery::{
    Deliver, Deliveries, Delivery, DeliveryOutcome, PlannedSubscription, RunningSubscription,
};
pub use handles::{
    BulkMessage, DeleteItem, Invoker, Message, PublishOptions, Publisher, Secrets, SetItem, State,
    StateOperation, Topics, Workflows,
};
pub use keys::KeyPrefix;
pub use memory::in_memory;
pub use open::{
    OpenPlan, ReferencedSecrets, Referrer, check, check_secrets, embedded_defaults, open,
};
pub use scopes::{TopicRules, TopicScopes, TopicUse, topic_list};
