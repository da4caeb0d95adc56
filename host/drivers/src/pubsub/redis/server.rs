//! Commands and scripts, sent to the shared [`Redis`].

use super::scripts::Script;
use crate::redis::{Dedicated, Failure, Fault, Redis};
use berth_blocks::pubsub::PubSubError;
use redis::{Cmd, Value};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Names that one step of a search looks at.
const SCAN_STEP: u32 = 1_000;
/// Steps of a search on one server. A database may hold far more state than topics.
const SCAN_STEPS_MAX: u32 = 1_000;

/// What the driver asks of Redis.
#[derive(Clone)]
pub(super) struct Server(pub(super) Arc<Redis>);

impl Server {
    /// One command.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, PubSubError> {
        self.0.call(command).await.map_err(pubsub_error)
    }

    /// One script on one key, sent whole only if the server does not know it yet.
    pub(super) async fn script(
        &self,
        script: &Script,
        key: &str,
        arguments: &[&str],
    ) -> Result<Value, PubSubError> {
        let known = script.by_hash(key, arguments);
        match self.0.call(&known).await {
            Err(failure) if failure.code() == Some("NOSCRIPT") => {
                self.ask(&script.whole(key, arguments)).await
            }
            answer => answer.map_err(pubsub_error),
        }
    }

    /// A group that begins with the oldest entry, and its stream.
    pub(super) async fn make_group(&self, stream: &str, group: &str) -> Result<(), PubSubError> {
        let mut make = redis::cmd("XGROUP");
        make.arg("CREATE").arg(stream).arg(group);
        make.arg("0").arg("MKSTREAM");
        match self.0.call(&make).await {
            Err(failure) if failure.code() != Some("BUSYGROUP") => Err(pubsub_error(failure)),
            _ => Ok(()),
        }
    }

    /// A connection to the server that holds a stream, for reads that wait there.
    pub(super) async fn dedicated(&self, stream: &str) -> Result<Dedicated, PubSubError> {
        let dedicated = self.0.dedicated(stream.as_bytes()).await;
        dedicated.map_err(pubsub_error)
    }

    /// How long to wait for a read that itself waits for so long.
    pub(super) fn patience(&self, block: Duration) -> Duration {
        const UNBOUNDED: Duration = Duration::from_secs(60);
        let bound = self.0.settings().response_timeout;
        block + bound.unwrap_or(UNBOUNDED)
    }

    /// Names of streams, sorted.
    pub(super) async fn streams(&self) -> Result<BTreeSet<String>, PubSubError> {
        let mut streams = BTreeSet::new();
        for master in self.0.masters().await.map_err(pubsub_error)? {
            let mut cursor = b"0".to_vec();
            for _ in 0..SCAN_STEPS_MAX {
                let mut scan = redis::pipe();
                scan.cmd("SCAN").arg(&cursor).arg("COUNT").arg(SCAN_STEP);
                scan.arg("TYPE").arg("stream");
                let answers = self.0.pipeline_on(&master, &scan).await;
                let answer = answers.map_err(pubsub_error)?.pop().unwrap_or_default();
                let answer = self.0.answer(answer).map_err(pubsub_error)?;
                let (next, names): (Vec<u8>, Vec<Vec<u8>>) =
                    redis::from_redis_value(answer).map_err(|_| super::entry::odd())?;
                // A name that is no text is no topic.
                streams.extend(
                    names
                        .into_iter()
                        .filter_map(|name| String::from_utf8(name).ok()),
                );
                cursor = next;
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(streams)
    }
}

/// What a failure of Redis means to a guest. Whatever another attempt may cure is `Unavailable`.
pub(super) fn pubsub_error(failure: Failure) -> PubSubError {
    let message = failure.to_string();
    match (failure.fault, failure.code()) {
        (Fault::Unavailable, _) => PubSubError::Unavailable(message),
        // A stream that was deleted: the group is made again with the next subscription.
        (_, Some("NOGROUP")) => PubSubError::Unavailable(message),
        (Fault::Timeout, _) => PubSubError::Timeout(message),
        (_, Some("WRONGTYPE")) => {
            PubSubError::Invalid(format!("{message}: the key of this topic is no stream"))
        }
        (Fault::Auth | Fault::Other, _) => PubSubError::Other(message),
    }
}
