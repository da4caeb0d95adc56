//! Whether what a scenario expects holds.

mod answer;
mod world;

pub(crate) use answer::check_answer;
pub(crate) use world::check_world;

use crate::matching::Difference;
use berth_resources::Origin;
use serde::Serialize;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it is expected.
    pub origin: Origin,
    /// What is not so, in one line.
    pub message: String,
    /// What was expected and what was found, in lines.
    pub details: Vec<String>,
}

impl Problem {
    pub(crate) fn new(origin: &Origin, message: impl Into<String>) -> Self {
        Self {
            origin: origin.clone(),
            message: message.into(),
            details: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// A value that differs; nothing if it does not.
    pub(crate) fn of_differences(
        origin: &Origin,
        what: &str,
        differences: &[Difference],
    ) -> Option<Self> {
        if differences.is_empty() {
            return None;
        }
        let lines = differences.iter().flat_map(|found| {
            found
                .to_string()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        Some(Self::new(origin, format!("{what} is not as expected")).with(lines))
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)?;
        for line in &self.details {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}
