//! Component tests: a guest in its world, which is scripted, without a server and without sleeping.
//!
//! ```text
//! *.test.yaml ──▶ Scenario ──▶ World: the real runtime, blocks and workflow engine
//!                   when ──▶     │ backends in memory, other apps, clock; a probe before each of them
//!                   then ◀──     └─▶ journal: calls, messages, requests, logs, spans
//! ```
//!
//! Time is tokio's paused clock: it moves when a scenario lets time pass, and when nothing else can happen.
//!
//! ```
//! use berth_testkit::{Kit, World};
//! use serde_json::json;
//! use std::{path::Path, time::Duration};
//!
//! # let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
//! # let (cache, guest) = (root.join("testkit-cache"), root.join("guests/worker.wasm"));
//! let kit = Kit::new(&cache)?;
//! let mut world = World::of(&kit, &guest)?;
//! // The workflow `program` of this guest does what its input says: it counts, and then sleeps for 30 days.
//! let program = json!([{ "activity": "effect", "input": "done" }, { "sleep": 30 * 24 * 3_600_000_u64 }]);
//! world.start("program", "p1", &program)?;
//! assert_eq!(world.state("statestore", "done")?, Some(json!(1)));
//! assert_eq!(world.workflow("p1")?.status, "RUNNING");
//! world.pass(Duration::from_secs(31 * 24 * 3_600))?;
//! assert_eq!(world.workflow("p1")?.status, "COMPLETED");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api;
mod backends;
mod canned;
mod check;
mod documents;
mod engine;
mod guests;
mod journal;
mod junit;
mod kit;
mod logs;
mod matching;
mod neighbours;
mod picture;
mod platform;
mod play;
mod probe;
mod record;
mod run;
mod site;
mod snapshot;
mod suite;
mod sweep;
mod world;

pub use api::{Error, WorkflowInstance};
pub use berth_resources::scenario::{TestFile, is_test_file, read_test, read_test_text};
pub use check::Problem;
pub use journal::{BlockCall, Invocation, Line, PublishedMessage, Records};
pub use junit::junit;
pub use kit::Kit;
pub use matching::Difference;
pub use record::{Exchange, recorded};
pub use run::{Ran, RunOptions, run_file, run_scenario};
pub use suite::Suite;
pub use world::{Answer, World};
