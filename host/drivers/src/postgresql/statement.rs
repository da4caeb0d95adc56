//! Statements of drivers.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio_postgres::types::{ToSql, Type};

/// The values of a statement's parameters, in order.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A statement's text and the types of its parameters. Made once: each connection prepares it at its first use.
#[derive(Debug)]
pub(crate) struct Statement {
    /// What connections know it by.
    pub(super) id: u64,
    pub(super) text: String,
    pub(super) types: Vec<Type>,
    /// Whether connections keep it.
    pub(super) is_kept: bool,
}

impl Statement {
    pub(crate) fn new(text: String, types: &[Type]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            text,
            types: types.to_vec(),
            is_kept: true,
        }
    }

    /// A statement for one use, which no connection keeps. Only for rows of a call that is no transaction.
    pub(crate) fn for_once(text: String, types: &[Type]) -> Self {
        Self {
            is_kept: false,
            ..Self::new(text, types)
        }
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}
