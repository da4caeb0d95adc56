//! Every driver but the in-memory ones: one file per backend type, one line each in [`registry`].
//!
//! `state/sqlite.rs` is exactly `type: state.sqlite`. A driver makes one attempt and knows no policy; what several
//! drivers of one engine share has a module of its own (`sqlite`).

#[cfg(feature = "pubsub-sqlite")]
mod pubsub;
#[cfg(test)]
mod scratch;
mod secrets;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "state-sqlite")]
mod state;

use berth_blocks::registry::Registry;

/// All drivers of this build.
#[must_use]
pub fn registry() -> Registry {
    Registry(vec![
        #[cfg(feature = "state-sqlite")]
        state::sqlite::driver(),
        #[cfg(feature = "pubsub-sqlite")]
        pubsub::sqlite::driver(),
        #[cfg(feature = "secretstores-local-file")]
        secrets::local_file::driver(),
        #[cfg(feature = "secretstores-local-env")]
        secrets::local_env::driver(),
    ])
}
