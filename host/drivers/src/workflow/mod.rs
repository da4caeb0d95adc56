//! Stores of workflow instances, one file per engine. None is a type of its own: a state backend offers it beside its
//! state, over the same connection.

pub(crate) mod sqlite;
