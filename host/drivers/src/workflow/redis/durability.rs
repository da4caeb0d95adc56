//! What a Redis server keeps when it ends. The server's own settings decide; this only looks at them.
//!
//! `appendonly yes` with `appendfsync always`: a commit is on the disk when it is answered. `everysec`: up to a second
//! of commits may be gone after a power failure, `appendonly no`: everything since the last snapshot after any end of
//! the server. A failover to a replica loses what that had not received: Redis 7.0 has no way (`WAITAOF`, of 7.2) to learn
//! whether a replica has a write on its disk. After a loss instances go on from what is left, so that activities may run
//! once more, and events that were accepted may be gone.

use super::Answer;
use crate::redis::Redis;
use berth_blocks::workflow::WorkflowStoreError;
use redis::{Value, cmd};
use schemars::JsonSchema;
use serde::Deserialize;

/// `workflowDurability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// Whatever the server does, with a warning.
    #[default]
    Server,
    /// The server must wait for its disk before it answers.
    Always,
}

/// What a server does with its writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// On the disk when it is answered.
    Everything,
    /// Written once per second or when the operating system likes.
    MostThings,
    /// In snapshots, if at all.
    Snapshots,
    /// It does not say.
    Unknown,
}

/// Warns of a server that may lose what it has answered, or refuses it.
pub(super) async fn look(redis: &Redis, wanted: Durability) -> Answer<()> {
    let location = redis.settings().location();
    let what = match keeps(redis).await? {
        Keeps::Everything => return Ok(()),
        Keeps::MostThings => {
            "the server answers before it has written to its disk (`appendfsync` is not `always`): a power failure takes \
             the last second of workflows, which then go on from before it"
        }
        Keeps::Snapshots => {
            "the server keeps no log of its writes (`appendonly no`): when it ends, workflows go back to its last \
             snapshot, or are gone"
        }
        Keeps::Unknown => {
            "the server does not say whether it waits for its disk (it refuses `CONFIG GET`): workflows are as durable \
             as its `appendonly` and `appendfsync` make them"
        }
    };
    const REMEDY: &str = "set `appendonly yes` and `appendfsync always` at the server";
    match wanted {
        Durability::Server => {
            tracing::warn!(server = location, "{what}; {REMEDY}");
            Ok(())
        }
        Durability::Always => Err(WorkflowStoreError::NotAllowed(format!(
            "{location}: {what}; {REMEDY}, or do without `workflowDurability: always`"
        ))),
    }
}

async fn keeps(redis: &Redis) -> Answer<Keeps> {
    let setting = async |name: &str| {
        let mut question = cmd("CONFIG");
        question.arg("GET").arg(name);
        match redis.call(&question).await {
            Ok(Value::Array(pair)) => Ok(pair.into_iter().nth(1)),
            Ok(Value::Map(pairs)) => Ok(pairs.into_iter().next().map(|(_, value)| value)),
            Ok(_) => Ok(None),
            Err(failure) if failure.fault == crate::redis::Fault::Unavailable => Err(failure),
            // Managed servers refuse it.
            Err(_) => Ok(None),
        }
    };
    let is = |value: &Option<Value>, text: &str| matches!(value, Some(Value::BulkString(bytes)) if bytes == text.as_bytes());
    let (log, fsync) = (setting("appendonly").await?, setting("appendfsync").await?);
    Ok(
        match (log.is_some(), is(&log, "yes"), is(&fsync, "always")) {
            (false, _, _) => Keeps::Unknown,
            (true, false, _) => Keeps::Snapshots,
            (true, true, false) => Keeps::MostThings,
            (true, true, true) => Keeps::Everything,
        },
    )
}
