//! Names of entries.

use berth_blocks::pubsub::PubSubError;
use redis::{RedisWrite, ToRedisArgs, ToSingleRedisArg};
use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The ID of an entry: the server's clock, and a number for what came in the same millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StreamId {
    millis: u64,
    sequence: u64,
}

impl StreamId {
    /// When the entry was added.
    pub(super) fn added_at(self) -> SystemTime {
        let since = Duration::from_millis(self.millis);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

impl FromStr for StreamId {
    type Err = PubSubError;

    fn from_str(text: &str) -> Result<Self, PubSubError> {
        let parts = text.split_once('-');
        let parsed = parts.and_then(|(millis, sequence)| {
            Some(Self {
                millis: millis.parse().ok()?,
                sequence: sequence.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| {
            PubSubError::Invalid(format!(
                "`{text}` is not an ID of this broker, such as 1526919030474-55"
            ))
        })
    }
}

impl ToRedisArgs for StreamId {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

impl ToSingleRedisArg for StreamId {}
