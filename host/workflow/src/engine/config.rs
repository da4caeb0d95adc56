//! How an engine works.

use berth_blocks::workflow::Status;
use std::time::Duration;

/// How long instances are kept after they ended; `None`: until they are purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Those that completed.
    pub completed: Option<Duration>,
    /// Those that failed or were canceled.
    pub failed: Option<Duration>,
    /// Those that were terminated.
    pub terminated: Option<Duration>,
}

impl Retention {
    pub(crate) fn of(self, status: Status) -> Option<Duration> {
        match status {
            Status::Completed => self.completed,
            Status::Failed | Status::Canceled => self.failed,
            Status::Terminated => self.terminated,
            Status::Pending | Status::Running | Status::Suspended | Status::Stalled => None,
        }
    }
}

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// Instances that this host owns at most.
    pub instances_max: usize,
    /// Activities that run on this host at the same time.
    pub activities_max: usize,
    /// How long this host's ownership outlives it.
    pub lease: Duration,
    /// How often to look for instances and tasks that other hosts left, and that nobody announced.
    pub poll_interval: Duration,
    /// How often owned instances look for messages from other hosts; `None`: the store has no other hosts.
    pub inbox_interval: Option<Duration>,
    /// After how long an instance that waits is given up.
    pub idle_after: Duration,
    /// When an instance that should move and does not is reported.
    pub stuck_after: Duration,
    /// How often to purge what ended, and to look for what does not move.
    pub housekeeping_interval: Duration,
    /// How long instances are kept after they ended.
    pub retention: Retention,
    /// This run of the host, as leases name it: never used again. Absent: a name that nobody else has.
    pub owner: Option<String>,
    /// Former runs of this host, which are over: what they owned is free at once.
    pub former_owners: Vec<String>,
}

/// What a namespace asks for, within what its host can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Instances that a host owns at most; absent: what it can hold.
    pub instances_max: Option<usize>,
    /// Activities that run on a host at the same time; absent: what it can hold.
    pub activities_max: Option<usize>,
    /// How long instances are kept after they ended.
    pub retention: Retention,
}

impl Config {
    pub(crate) fn within(&self, limits: Limits) -> Self {
        let least = |host: usize, own: Option<usize>| own.map_or(host, |own| own.min(host));
        Self {
            instances_max: least(self.instances_max, limits.instances_max),
            activities_max: least(self.activities_max, limits.activities_max),
            retention: limits.retention,
            ..self.clone()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instances_max: 1_000,
            activities_max: 1_000,
            lease: Duration::from_secs(15),
            poll_interval: Duration::from_secs(1),
            inbox_interval: None,
            idle_after: Duration::from_secs(10),
            stuck_after: Duration::from_secs(60),
            housekeeping_interval: Duration::from_secs(5),
            retention: Retention::default(),
            owner: None,
            former_owners: Vec::new(),
        }
    }
}
