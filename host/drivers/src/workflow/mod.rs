//! Stores of workflow instances, one file per engine. None is a type of its own: a state backend offers it beside its
//! state, over the same connection.

#[cfg(test)]
#[cfg(any(feature = "state-postgresql", feature = "state-redis"))]
mod acts;
#[cfg(feature = "state-postgresql")]
pub(crate) mod postgresql;
#[cfg(feature = "state-redis")]
pub(crate) mod redis;
#[cfg(feature = "state-sqlite")]
pub(crate) mod sqlite;
