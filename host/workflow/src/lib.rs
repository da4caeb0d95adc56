//! The durable workflow engine: code that never loses its place.
//!
//! ```text
//! client ──▶ Engine ──▶ owned instance: driver ──▶ core (history, commands, deliveries) ◀── Context ◀── workflow code
//!              │             │                                                                 (Executor)
//!              │             └──▶ WorkflowStore::commit, one per decision, guarded by epoch and version
//!              └── claims, lease, task queue, retention
//! ```
//!
//! What a workflow asks for and what it is given is its history ([`Event`]). While a host owns an instance, its code
//! simply waits, alive, inside a call of its [`Context`]; after a crash or a release it is run again from the beginning
//! and its history is given to it, until it has reached the place where it was.
//!
//! This crate knows no WebAssembly: code is run by an [`Executor`]. Time, randomness and tasks come from a
//! [`Platform`], instances lie in a [`WorkflowStore`](berth_blocks::workflow::WorkflowStore); so the whole engine runs
//! in a simulation, in one thread, under a seed (`tests/simulation`).

mod codec;
mod context;
mod core;
mod driver;
mod engine;
mod event;
mod executor;
mod failure;
mod guest;
pub mod limits;
mod message;
mod platform;
mod policy;
mod replay;

pub use self::core::Random;
pub use berth_blocks::workflow::{
    Conflict, Failure, InstanceView, Payload, RerunOptions, Reuse, StartOptions, StartedInstance,
    WorkflowError,
};
pub use codec::DecodeError;
pub use context::{ChildOptions, Context, ContextError, Handle};
pub use engine::{Config, Engine, Engines, History, Limits, Overdue, OwnedInstance, Retention};
pub use event::{ActivityScheduled, ChildScheduled, Event, EventKind, Parent, Started};
pub use executor::{ActivityTask, EndedRun, Executor, WorkflowEnd, WorkflowRun};
pub use failure::WaitError;
pub use platform::{Platform, Task, Tokio};
pub use policy::{ActivityOptions, Dispatch, RetryPolicy};
pub use replay::{Replay, replay};
