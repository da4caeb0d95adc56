//! Guests on wasmtime: loading, linking, limits, instances, WASI.
//!
//! ```text
//! request ─▶ Runtime::handle ─┐                        ┌▶ instance (fresh or used) ─▶ wasi:http export
//! message ─▶ Runtime::deliver ┼▶ gate (admission.rs) ─▶┤        │ imports: doors/ ─▶ blocks
//! call    ─▶ Runtime::invoke ─┘                        └▶ run.rs: CPU time, wall time, one task
//! ```
//!
//! `load.rs` turns a manifest into a guest or into all reasons why not; `failure.rs` lists every reason code.

mod admission;
mod app;
mod bindings;
mod body;
mod cache;
mod clocks;
mod delivery;
mod doors;
mod egress;
mod engine;
mod exports;
mod failure;
mod guard;
mod guest;
mod http;
mod idle;
mod imports;
mod instance;
mod link;
mod load;
mod logs;
mod meter;
mod outgoing;
mod platform;
mod resident;
mod run;
mod runtime;
mod script;
mod served;
mod spans;
mod subscriptions;
mod surroundings;
mod workflow;

pub use engine::Compiler;
pub use exports::Exports;
pub use guard::DeadlineGuard;
pub use load::{AppUsage, LoadError, LoadedApp};
pub use runtime::{GuestEngines, Runtime, RuntimeOptions};
pub use subscriptions::Deployable;
pub use surroundings::{Outside, Seed, Surroundings};
pub use workflow::Registered;
