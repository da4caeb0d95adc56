//! `*.test.yaml`: scenarios of component tests. What they mean is the test kit's; here they are read, and everything that
//! is wrong with them has its place.
//!
//! ```yaml
//! given: { state: { statestore: { stock: 3 } } }      # for all scenarios of the file
//! scenarios:
//!   - name: an order takes what it needs
//!     when:
//!       - request: { method: POST, path: /orders, json: { qty: 2 } }
//!         then: { status: 201 }
//!     then: { state: { statestore: { stock: 1 } } }
//! ```

mod apps;
mod check;
mod fault;
mod given;
mod message;
mod operation;
mod pattern;
mod read;
mod step;
mod workflow;

pub use apps::{CannedAnswer, CannedApp, OtherApp, Route};
pub use check::{Calls, Checks, Count, Expected, Invoked, Lines, Located, Published};
pub use fault::{Effect, Failing, Fault, Kill, Moment};
pub use given::{Given, StoreName};
pub use message::{Payload, RequestSpec};
pub use operation::{OPERATIONS, OperationPattern};
pub use pattern::{MapPattern, Pattern, PatternKind};
pub use read::{TestFile, find_tests, folder_of, is_test_file, read_test, read_test_text};
pub use step::{Action, Instance, Publish, Start, Step};
pub use workflow::WorkflowCheck;

use crate::Origin;

/// One scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it shows, in words.
    pub name: String,
    /// The world at its beginning; the file's own where it says nothing.
    pub given: Given,
    /// What happens, one after the other.
    pub when: Vec<Step>,
    /// What holds at its end.
    pub then: Checks,
    /// Run it again, once for each place where something may break.
    pub sweep: Option<Sweep>,
    /// Where it stands.
    pub origin: Origin,
}

/// What a sweep breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// The host, before and after the effect of every block call.
    Crash,
}

impl Sweep {
    /// The words of `sweep:` and `--sweep`.
    pub const CHOICES: [(&'static str, Self); 1] = [("crash", Self::Crash)];
}
