//! `spec.workflow` of a Configuration: bounds of a namespace's workflows on one host, and how long ended ones are kept.

use crate::{Origin, fields::Fields, reader::Reading};
use std::time::Duration;

/// Bounds of the workflows of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowSettings {
    /// `maxConcurrentWorkflowInvocations`: instances that a host runs at the same time; absent: what it can hold.
    pub instances_max: Option<u32>,
    /// `maxConcurrentActivityInvocations`: the same for activities.
    pub activities_max: Option<u32>,
    /// `stateRetentionPolicy`.
    pub retention: StateRetention,
    /// Where the field stands.
    pub origin: Origin,
}

/// How long instances are kept after they ended; absent: until they are purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateRetention {
    /// `completed`, else `anyTerminal`.
    pub completed: Option<Duration>,
    /// `failed`, else `anyTerminal`: those that failed or were canceled.
    pub failed: Option<Duration>,
    /// `terminated`, else `anyTerminal`.
    pub terminated: Option<Duration>,
}

const COUNT_MAX: u32 = 1_000_000;
const RETENTION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl WorkflowSettings {
    pub(crate) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let origin = reading.origin(fields.place());
        let mut count = |name, reading: &mut Reading<'_>| {
            let field = fields.optional(name, reading)?;
            field.count(1..=COUNT_MAX, reading)
        };
        let instances_max = count("maxConcurrentWorkflowInvocations", reading);
        let activities_max = count("maxConcurrentActivityInvocations", reading);
        let retention = fields.child("stateRetentionPolicy", reading);
        let retention = retention.map(|fields| StateRetention::read(fields, reading));
        fields.not_applied(
            &[
                "activityConcurrencyLimits",
                "globalMaxConcurrentActivityInvocations",
                "globalMaxConcurrentWorkflowInvocations",
                "workflowConcurrencyLimits",
            ],
            reading,
        );
        fields.finish(reading);
        Self {
            instances_max,
            activities_max,
            retention: retention.unwrap_or_default(),
            origin,
        }
    }

    /// Whether two documents say the same, wherever they stand.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.instances_max, self.activities_max, self.retention)
            == (other.instances_max, other.activities_max, other.retention)
    }
}

impl StateRetention {
    fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let mut time = |name, reading: &mut Reading<'_>| {
            let field = fields.optional(name, reading)?;
            field.duration(Duration::ZERO..=RETENTION_MAX, reading)
        };
        let any = time("anyTerminal", reading);
        let retention = Self {
            completed: time("completed", reading).or(any),
            failed: time("failed", reading).or(any),
            terminated: time("terminated", reading).or(any),
        };
        fields.finish(reading);
        retention
    }
}
