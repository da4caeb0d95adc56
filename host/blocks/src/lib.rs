//! The building blocks: what a door may ask for, which rules apply, and what a backend must do.
//!
//! ```text
//! door ──▶ Blocks::state / publish / secrets / invoke ──▶ pipeline (who may, span, metric, log) ──▶ dyn backend trait
//! backend ──▶ delivery (routing rules, retries, dead letters) ──▶ dyn Deliver (a guest's export)
//! ```
//!
//! One module per block; each shows its trait, its one error enum and its request types. Doors hold a [`Blocks`] and a
//! [`Caller`]; drivers implement the traits and are listed in a [`Registry`].

mod caller;
pub mod invocation;
pub mod pubsub;
pub mod registry;
pub mod secrets;
pub mod state;

pub use caller::Caller;
