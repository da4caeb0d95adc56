//! Every driver but the in-memory ones: one file per backend type, one line each in [`registry`].
//!
//! `state/sqlite.rs` is exactly `type: state.sqlite`. A driver makes one attempt and knows no policy; what several
//! drivers of one engine share has a module of its own (`sqlite`).

mod nameresolution;
#[cfg(feature = "postgresql")]
mod postgresql;
#[cfg(any(feature = "state-sqlite", feature = "state-postgresql"))]
mod prefix;
#[cfg(any(
    feature = "pubsub-kafka",
    feature = "pubsub-rabbitmq",
    feature = "pubsub-redis",
    feature = "pubsub-sqlite"
))]
mod pubsub;
// Each of its drivers uses a part of it.
#[cfg(feature = "redis")]
#[cfg_attr(
    not(all(feature = "state-redis", feature = "pubsub-redis")),
    allow(dead_code, unused_imports)
)]
mod redis;
#[cfg(test)]
mod scratch;
mod secrets;
// Leases and migrations of tables of our own serve some of its drivers only.
#[cfg(feature = "sqlite")]
#[cfg_attr(not(feature = "pubsub-sqlite"), allow(dead_code))]
mod sqlite;
#[cfg(any(
    feature = "state-sqlite",
    feature = "state-redis",
    feature = "state-postgresql"
))]
mod state;
#[cfg(feature = "tls")]
mod task;
#[cfg(feature = "tls")]
mod tls;
#[cfg(any(feature = "redis", feature = "postgresql"))]
mod together;
#[cfg(any(
    feature = "state-sqlite",
    feature = "state-redis",
    feature = "state-postgresql"
))]
mod workflow;

pub use nameresolution::{ResolverContext, Secrets, check_resolver, open_resolver};

use berth_blocks::registry::{Driver, Registry};

/// All drivers of this build, the in-memory ones of `berth-blocks` among them.
#[must_use]
pub fn registry() -> Registry {
    let own: Vec<Driver> = vec![
        #[cfg(feature = "state-sqlite")]
        state::sqlite::driver(),
        #[cfg(feature = "state-redis")]
        state::redis::driver(),
        #[cfg(feature = "pubsub-redis")]
        pubsub::redis::driver(),
        #[cfg(feature = "state-postgresql")]
        state::postgresql::driver("state.postgresql"),
        #[cfg(feature = "state-postgresql")]
        state::postgresql::driver("state.postgres"),
        #[cfg(feature = "pubsub-sqlite")]
        pubsub::sqlite::driver(),
        #[cfg(feature = "pubsub-rabbitmq")]
        pubsub::rabbitmq::driver(),
        #[cfg(feature = "pubsub-kafka")]
        pubsub::kafka::driver(),
        #[cfg(feature = "secretstores-local-file")]
        secrets::local_file::driver(),
        #[cfg(feature = "secretstores-local-env")]
        secrets::local_env::driver(),
    ];
    Registry(berth_blocks::in_memory().into_iter().chain(own).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_has_a_version_and_documented_metadata() {
        for driver in registry().0 {
            assert!(
                !driver.versions.is_empty() && !driver.summary.is_empty(),
                "{}",
                driver.kind
            );
            let schema = (driver.schema)();
            let properties = schema
                .get("properties")
                .and_then(|fields| fields.as_object());
            let mut documented = Vec::new();
            for (name, field) in properties.into_iter().flatten() {
                assert!(
                    field.get("description").is_some(),
                    "{}: `{name}`",
                    driver.kind
                );
                documented.push(name.clone());
            }
            // Serde and the schema mean the same fields, and every alias is known as one.
            let mut read: Vec<_> = (driver.names)()
                .into_iter()
                .map(|entry| entry.name)
                .collect();
            documented.sort();
            read.sort();
            assert_eq!(read, documented, "{}", driver.kind);
        }
    }
}
