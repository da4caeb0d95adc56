//! Block calls by name: as spans and metrics name them.

use crate::{node::quote, reader::Reading, suggest::did_you_mean, value::Field};

/// Every block call that a scenario can count, or break.
pub const OPERATIONS: [&str; 19] = [
    "state.get",
    "state.set",
    "state.delete",
    "state.bulk_get",
    "state.bulk_set",
    "state.bulk_delete",
    "state.transact",
    "state.list_keys",
    "pubsub.publish",
    "pubsub.bulk_publish",
    "secrets.get",
    "secrets.bulk",
    "invocation.invoke",
    "outside.request",
    "workflow.start",
    "workflow.get",
    "workflow.wait",
    "workflow.raise_event",
    "workflow.terminate",
];

/// One operation, `state.*`, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationPattern(String);

impl OperationPattern {
    /// Whether an operation is meant.
    #[must_use]
    pub fn matches(&self, operation: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => operation.starts_with(prefix),
            None => operation == self.0,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The operations that it means.
    pub fn meant(&self) -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter().filter(|name| self.matches(name))
    }

    pub(super) fn read(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let text = field.text(reading)?;
        let pattern = Self(text.to_owned());
        if pattern.meant().next().is_some() {
            return Some(pattern);
        }
        let meant = did_you_mean(text, OPERATIONS);
        let message = format!("no block call is named {}{meant}", quote(text));
        let hint = format!("calls: {}", OPERATIONS.join(", "));
        reading.error_with_hint(
            field.place(),
            format!("{}: {message}", quote(&field.path)),
            hint,
        );
        None
    }
}

impl std::str::FromStr for OperationPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pattern = Self(text.to_owned());
        if pattern.meant().next().is_some() {
            return Ok(pattern);
        }
        Err(format!("no block call is named {}", quote(text)))
    }
}
