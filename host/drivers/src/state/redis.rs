//! `state.redis`: state in Redis hashes, in the layout that Dapr uses, so that both can share a store.
//!
//! A key is a hash of `data`, `version` (counts the writes, and is the etag) and, after a first write, `first-write`.
//! What Dapr has no field for stands in one more, [`NOTE`], which Dapr ignores: the media type and when the value
//! expires, together with the version that they belong to. A write by Dapr moves the version on, so a note can be out
//! of date but never speaks of a value that is not its own. Of values that Dapr wrote neither is reported, as in Dapr.
//!
//! Stricter than Dapr: an absent key matches no etag, a first write needs an absent key, a write without a time to
//! live removes an earlier one, and a transaction applies all of its steps or none: one script checks them, then
//! applies them. In a Cluster that script can only touch keys of one slot, hence of one hash tag. Versions begin at 1
//! again when a key was deleted.
//!
//! A plain string (or another type) under a key reads as a value with the etag `0` and is replaced by a write.

mod listing;
mod script;
#[cfg(test)]
mod tests;

use crate::{
    redis::{Failure, Fault, Redis, redis_metadata},
    workflow::redis::{Durability, RedisWorkflows},
};
use async_trait::async_trait;
use berth_blocks::{
    registry::{Driver, OpenContext, OpenError, Opened},
    state::{
        Consistency, DeleteRequest, Entry, GetOptions, KeyPage, Operation, Precondition,
        SetRequest, StateCapabilities, StateError, StateStore,
    },
};
use bytes::Bytes;
use redis::{Cmd, Value, cmd, pipe};
use script::{Outcome, Step};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::OnceCell;

/// The field of a hash that holds what Dapr has no field for: `<version>;<expiry, Unix milliseconds>;<media type>`.
const NOTE: &str = "berth";
/// Steps of one transaction, during which the server answers nobody else.
const TRANSACTION_OPERATIONS_MAX: usize = 10_000;
/// Reads that travel as one message.
const READS_TOGETHER: usize = 256;
/// How long a strong write waits for the replicas, as in Dapr.
const REPLICAS_WAIT_MS: u32 = 1000;
/// The etag of what has no version.
const NO_VERSION: &str = "0";

redis_metadata! {
    /// Metadata of `state.redis`. The doc comments become the reference page.
    struct RedisMetadata {
        /// Time to live of values that are written without one, in seconds; default: none. A write cannot opt out.
        #[serde(default, rename = "ttlInSeconds")]
        ttl_in_seconds: Option<i64>,
        /// For workflows on this server (`actorStateStore`): `server` (default) takes the server's durability as it is
        /// and warns of one that may lose commits; `always` runs no workflow on a server that does not write each
        /// commit to its disk before it answers. Not known to Dapr.
        #[serde(default)]
        workflow_durability: Durability,
        /// No effect: state cannot be queried.
        #[serde(default, rename = "queryIndexes")]
        _query_indexes: Option<String>,
    }
}

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: redisHost
  value: redis.example.com:6380
- name: redisPassword
  secretKeyRef:
    name: redis-password
- name: enableTLS
  value: true
";

/// What the reference page says besides.
const NOTES: &str = "\
In a Cluster a transaction touches keys of one slot only: put what belongs together under one hash tag, such as
`{cart-17}-items`.

Workflows (`actorStateStore`) are as durable as the server: with `appendonly yes` and `appendfsync always` each commit is
on its disk before it is answered; with `appendfsync everysec` a power failure takes up to a second of them; without
`appendonly` they go back to the last snapshot when the server ends. A failover loses what the replica had not received:
Redis 7.0 cannot wait for a replica's disk (`WAITAOF`, since 7.2), so that this is not proven and not promised. After such
a loss activities may run again, and events that were accepted may be gone. All workflows of a namespace lie on one server
of a Cluster, under one hash tag, since a commit may reach any of them; where a node of it hangs up at the wrong moment,
an event without an ID may arrive twice.

Tested with Redis 7.0: one server, Sentinel with failover, a Cluster of three, TLS with client certificates. Not tested:
managed services, Valkey, KeyDB.
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "state.redis",
        &["v1"],
        "State in Redis hashes, in Dapr's layout",
        |context, metadata: RedisMetadata| async move {
            let namespace = context.namespace.clone();
            let durability = metadata.workflow_durability;
            let state = open(context, metadata).await?;
            let workflows = RedisWorkflows::new(state.redis.clone(), &namespace, durability);
            Ok(Opened {
                workflows: Some(Arc::new(workflows)),
                ..Opened::state(state)
            })
        },
    )
    .example(EXAMPLE)
    .notes(NOTES)
}

async fn open(context: OpenContext, metadata: RedisMetadata) -> Result<RedisState, OpenError> {
    let settings = metadata.connection().settings()?;
    let ttl = metadata.ttl_in_seconds.filter(|seconds| *seconds > 0);
    Ok(RedisState {
        redis: Redis::shared(&context, settings).await?,
        strong: OnceCell::new(),
        context,
        ttl: ttl.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
    })
}

/// An open `state.redis`.
struct RedisState {
    /// Shared with every backend of the same metadata.
    redis: Arc<Redis>,
    /// For writes that wait for replicas: on the shared connection everybody would wait. Opened by the first of them.
    strong: OnceCell<Arc<Redis>>,
    context: OpenContext,
    /// Time to live of writes that bring none.
    ttl: Option<Duration>,
}

impl RedisState {
    /// Sends one write; `consistency` says whether it waits for replicas.
    async fn write(
        &self,
        key: &str,
        command: &Cmd,
        consistency: Option<Consistency>,
    ) -> Result<Value, Failure> {
        let replicas = self.redis.replicas();
        if consistency != Some(Consistency::Strong) || replicas == 0 {
            return self.redis.call(command).await;
        }
        // Rare, and its future is large: it would be part of that of every write.
        Box::pin(self.write_to_replicas(key, command, replicas)).await
    }

    /// Sends one write and waits for the replicas.
    async fn write_to_replicas(
        &self,
        key: &str,
        command: &Cmd,
        replicas: usize,
    ) -> Result<Value, Failure> {
        let strong = self.strong.get_or_try_init(|| {
            let settings = self.redis.settings().clone().apart_for("strong");
            Redis::connected(&self.context, settings)
        });
        let strong = strong.await?;
        let mut both = pipe();
        both.add_command(command.clone())
            .cmd("WAIT")
            .arg(replicas)
            .arg(REPLICAS_WAIT_MS);
        let answers = strong.pipeline(key.as_bytes(), &both).await?;
        // As in Dapr, replicas that do not answer in time are no failure of the write.
        let answer = answers.into_iter().next().unwrap_or(Value::Nil);
        strong.answer(answer)
    }

    async fn run(
        &self,
        steps: &[Step<'_>],
        consistency: Option<Consistency>,
    ) -> Result<Outcome, StateError> {
        let key = steps.first().map_or("", |step| step.key);
        let known = script::by_hash(steps);
        let answer = match self.write(key, &known, consistency).await {
            // The server was restarted, or is another one.
            Err(failure) if failure.code() == Some("NOSCRIPT") => {
                self.write(key, &script::in_full(steps), consistency).await
            }
            answer => answer,
        };
        script::outcome(answer.map_err(state_error)?)
    }

    fn set_step<'r>(&self, request: &'r SetRequest) -> Result<Step<'r>, StateError> {
        Step::set(request, request.ttl.or(self.ttl), SystemTime::now())
    }

    /// The value of something that is no hash.
    async fn get_plain(&self, key: &str) -> Result<Option<Entry>, StateError> {
        match self.redis.call(cmd("GET").arg(key)).await {
            Ok(Value::BulkString(value)) => Ok(Some(Entry {
                value: Bytes::from(value),
                etag: NO_VERSION.to_owned(),
                content_type: None,
                expires_at: None,
            })),
            Ok(_) => Ok(None),
            Err(failure) if failure.code() == Some("WRONGTYPE") => Err(StateError::Other(format!(
                "{failure}: the key holds no value that state.redis could read"
            ))),
            Err(failure) => Err(state_error(failure)),
        }
    }

    async fn entry(
        &self,
        key: &str,
        answer: Result<Value, Failure>,
    ) -> Result<Option<Entry>, StateError> {
        match answer {
            Ok(fields) => entry(fields),
            Err(failure) if failure.code() == Some("WRONGTYPE") => {
                Box::pin(self.get_plain(key)).await
            }
            Err(failure) => Err(state_error(failure)),
        }
    }
}

#[async_trait]
impl StateStore for RedisState {
    fn capabilities(&self) -> StateCapabilities {
        StateCapabilities {
            etag: true,
            transactions: Some(TRANSACTION_OPERATIONS_MAX),
            ttl: true,
            list_keys: true,
            content_type: true,
        }
    }

    async fn get(&self, key: &str, _: &GetOptions) -> Result<Option<Entry>, StateError> {
        let answer = self.redis.call(&read(key)).await;
        self.entry(key, answer).await
    }

    async fn set(&self, request: SetRequest) -> Result<(), StateError> {
        let step = self.set_step(&request)?;
        self.run(&[step], request.consistency)
            .await?
            .of_single(&request.key)
    }

    async fn delete(&self, request: DeleteRequest) -> Result<(), StateError> {
        if matches!(request.precondition, Precondition::Etag(_)) {
            let step = Step::delete(&request)?;
            let outcome = self.run(&[step], request.consistency).await?;
            return outcome.of_single(&request.key);
        }
        let mut command = cmd("DEL");
        command.arg(&request.key);
        self.write(&request.key, &command, request.consistency)
            .await
            .map(drop)
            .map_err(state_error)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), StateError> {
        if operations.is_empty() {
            return Ok(());
        }
        if operations.len() > TRANSACTION_OPERATIONS_MAX {
            return Err(StateError::TooLarge(format!(
                "a transaction of {} operations: at most {TRANSACTION_OPERATIONS_MAX} are possible",
                operations.len()
            )));
        }
        let steps = operations
            .iter()
            .map(|operation| match operation {
                Operation::Set(request) => self.set_step(request),
                Operation::Delete(request) => Step::delete(request),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if !self.redis.keeps_together(steps.iter().map(|step| step.key)) {
            return Err(StateError::Unsupported(format!(
                "{}: the keys of a transaction lie on different servers: give them one hash tag, as in \
                 `{{order-17}}/items` and `{{order-17}}/total`",
                self.redis.settings().location()
            )));
        }
        let strong = operations.iter().any(|operation| {
            let consistency = match operation {
                Operation::Set(request) => request.consistency,
                Operation::Delete(request) => request.consistency,
            };
            consistency == Some(Consistency::Strong)
        });
        let consistency = strong.then_some(Consistency::Strong);
        match self.run(&steps, consistency).await? {
            Outcome::Applied => Ok(()),
            Outcome::Refused(place) => Err(script::conflict(
                steps.get(place).map_or("", |step| step.key),
                Some(place),
            )),
        }
    }

    async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        listing::page(&self.redis, prefix, limit, token).await
    }

    async fn bulk_get(
        &self,
        keys: &[String],
        options: &GetOptions,
    ) -> Vec<Result<Option<Entry>, StateError>> {
        // The keys of a Cluster belong to different servers.
        if self.redis.is_cluster() {
            return futures::future::join_all(keys.iter().map(|key| self.get(key, options))).await;
        }
        let together = keys.chunks(READS_TOGETHER).map(|keys| async move {
            let mut reads = pipe();
            for key in keys {
                reads.add_command(read(key));
            }
            let answers = match self.redis.pipeline(b"", &reads).await {
                Ok(answers) => answers,
                Err(failure) => {
                    let error = state_error(failure);
                    return keys.iter().map(|_| Err(error.clone())).collect();
                }
            };
            let mut entries = Vec::with_capacity(keys.len());
            for (key, answer) in keys.iter().zip(answers) {
                entries.push(self.entry(key, self.redis.answer(answer)).await);
            }
            entries
        });
        let entries: Vec<Vec<_>> = futures::future::join_all(together).await;
        entries.into_iter().flatten().collect()
    }

    async fn ping(&self) -> Result<(), StateError> {
        let answer = self.redis.call(&cmd("PING")).await;
        answer.map(drop).map_err(state_error)
    }
}

/// Reads all of a value at once.
fn read(key: &str) -> Cmd {
    let mut command = Cmd::with_capacity(5, key.len() + 24);
    command
        .arg("HMGET")
        .arg(key)
        .arg("data")
        .arg("version")
        .arg(NOTE);
    command
}

/// What [`read`] answers.
fn entry(fields: Value) -> Result<Option<Entry>, StateError> {
    let Value::Array(fields) = fields else {
        return Err(unexpected(&fields));
    };
    let fields = <[Value; 3]>::try_from(fields)
        .map_err(|fields| unexpected(&Value::Array(fields)))?
        .map(|field| match field {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        });
    let [Some(data), version, note] = fields else {
        return Ok(None);
    };
    let etag = version.and_then(|version| String::from_utf8(version).ok());
    let etag = etag.unwrap_or_else(|| NO_VERSION.to_owned());
    let (expires_at, content_type) = note
        .and_then(|note| read_note(&note, &etag))
        .unwrap_or_default();
    Ok(Some(Entry {
        value: Bytes::from(data),
        etag,
        content_type,
        expires_at,
    }))
}

/// Expiry and media type, if the note is about this version.
fn read_note(note: &[u8], version: &str) -> Option<(Option<SystemTime>, Option<String>)> {
    let note = std::str::from_utf8(note).ok()?;
    let (expires, content_type) = note
        .strip_prefix(version)?
        .strip_prefix(';')?
        .split_once(';')?;
    let expires = expires.parse().ok().map(Duration::from_millis);
    Some((
        expires.and_then(|since| UNIX_EPOCH.checked_add(since)),
        (!content_type.is_empty()).then(|| content_type.to_owned()),
    ))
}

fn unexpected(value: &Value) -> StateError {
    let kind = match value {
        Value::Array(_) => "a list of another length",
        Value::Nil => "nothing",
        _ => "something else than asked for",
    };
    StateError::Other(format!("Redis answered {kind}"))
}

/// What a failure of Redis means to a guest. Whatever another attempt may cure is `Unavailable`.
fn state_error(failure: Failure) -> StateError {
    let message = failure.to_string();
    match failure.fault {
        Fault::Unavailable => StateError::Unavailable(message),
        Fault::Timeout => StateError::Timeout(message),
        Fault::Auth => StateError::Denied(message),
        Fault::Other => StateError::Other(message),
    }
}
