//! Resiliency: how long an attempt may take, when to try again, when not to try at all.
//!
//! ```text
//! Resiliency documents ──▶ Resiliencies ──▶ one Policy per app and target (kept by who calls it)
//! call ──▶ run: retry ( circuit breaker ( timeout ( attempt )))
//! ```
//!
//! Everything means what Dapr says it means (<https://docs.dapr.io/operations/resiliency/>). A [`Policy`] is resolved
//! once, so that a call only follows a reference; without a policy there is nothing to follow. [`run()`] carries out a
//! whole call; whoever has to wait in ways of its own, such as a delivery that keeps a lease, goes step by step with a
//! [`Course`].
//!
//! Time is that of tokio, which tests stop and move; what decides (pauses, circuit breakers) is told the time. Nothing here
//! knows a backend, an app or a protocol beyond status codes.

mod backoff;
mod breaker;
mod breakers;
mod course;
mod meters;
mod policy;
mod resolve;
mod run;
mod table;
mod tried;
mod trip;

pub use breaker::{BreakerState, Permit, Refusal};
pub use breakers::Endpoint;
pub use course::{Course, Next};
pub use policy::{Code, Ended, Policy};
pub use resolve::{AppPolicies, ComponentKind, Direction, Resiliencies};
pub use run::{Input, Judge, Last, Late, Repeated, Stopped, attempt, run};
pub use table::{BreakerStatus, Target};
pub use tried::{Ending, Tried};
