//! `pubsub.redis`: topics in Redis streams, in the form that Dapr uses, so that both can share a topic.
//!
//! A topic is a stream of the same name, an entry has the fields `data` and `metadata` (a JSON object), and a consumer
//! group is a group of the stream that begins with its oldest entry. berth adds the field `contentType` to what is no
//! CloudEvent; Dapr skips it. Needs Redis 6.2 or later.
//!
//! A message is leased by being pending in its group under the name of a consumer that no other host or subscription
//! has. Redis knows no negative acknowledgement, so a message that is handed back moves to a consumer that nobody reads
//! for, and whoever looks next takes it from there (see `scripts`): delays and attempts hold across hosts. What a dead
//! host held is taken over when it has been idle for `processingTimeout`.
//!
//! Differences to Dapr:
//! - Every subscription is a consumer of its own, removed when it leaves; in Dapr all hosts share one.
//! - A failed message comes again when its retry policy says, not after `processingTimeout`; with redelivery turned off
//!   it still does. Only what a dead host held stays with it then.
//! - A handler that takes longer than `processingTimeout` keeps its message.
//!
//! What Redis cannot do: expire single messages (the delivery side drops them), and keep the order of a partition key
//! among several handlers. Streams are never trimmed by default: consumed messages and dead letters stay.

mod acknowledgements;
mod consumer;
mod entry;
mod id;
mod lease;
mod look;
mod member;
mod scripts;
mod server;
#[cfg(test)]
mod tests;

use crate::redis::{Redis, redis_metadata};
use async_trait::async_trait;
use berth_blocks::{
    pubsub::{
        Consumer, OutboundMessage, PubSub, PubSubCapabilities, PubSubError, StoredMessage,
        SubscribeRequest, TopicDepth,
    },
    registry::{Driver, OpenContext, OpenError, Opened, metadata::DurationOrMillis},
};
use consumer::RedisConsumer;
use entry::Trim;
use member::{Redelivery, Terms};
use server::Server;
use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

redis_metadata! {
/// Metadata of `pubsub.redis`. The doc comments become the reference page.
struct RedisMetadata {
    /// How long a message may go unanswered by its host before another host takes it over; a bare number counts
    /// milliseconds. Default `15s`. `0` turns this off: what a dead host held stays with it.
    #[serde(default)]
    processing_timeout: Option<DurationOrMillis>,
    /// How often to look for messages of dead hosts, if oftener than four times per `processingTimeout`; a bare number
    /// counts milliseconds. Default `60s`. `0` turns this off, as with `processingTimeout`.
    #[serde(default)]
    redeliver_interval: Option<DurationOrMillis>,
    /// Messages of one subscription that are handled at the same time, at most. Default: as many as the app may handle
    /// (in Dapr 10).
    #[serde(default)]
    concurrency: Option<NonZeroU32>,
    /// Messages that are fetched with one command, at most. Default 100.
    #[serde(default)]
    queue_depth: Option<NonZeroU32>,
    /// Messages that a topic keeps, about; older ones are deleted when one is published, consumed or not. Default: no
    /// limit.
    #[serde(default)]
    max_len_approx: Option<NonZeroU64>,
    /// How long a topic keeps messages, about; older ones are deleted when one is published, consumed or not. A bare
    /// number counts milliseconds. Default: no limit. Not together with `maxLenApprox`.
    #[serde(default, rename = "streamTTL")]
    stream_ttl: Option<DurationOrMillis>,
}
}

impl RedisMetadata {
    fn terms(&self) -> Terms {
        let or = |duration: &Option<DurationOrMillis>, default| {
            let duration = duration.as_ref();
            duration.map_or(Duration::from_secs(default), |duration| duration.0)
        };
        let processing_timeout = or(&self.processing_timeout, 15);
        let interval = or(&self.redeliver_interval, 60);
        let is_on = !processing_timeout.is_zero() && !interval.is_zero();
        let redelivery = Redelivery {
            processing_timeout,
            every: interval.min(processing_timeout / 4),
        };
        Terms {
            redelivery: is_on.then_some(redelivery),
            batch: self.queue_depth.map_or(100, NonZeroU32::get) as usize,
            gone: GONE.max(processing_timeout * 10),
        }
    }

    fn trim(&self) -> Result<Option<Trim>, OpenError> {
        let ttl = self.stream_ttl.as_ref().filter(|ttl| !ttl.0.is_zero());
        match (self.max_len_approx, ttl) {
            (Some(_), Some(_)) => Err(OpenError::Metadata {
                field: "streamTTL".to_owned(),
                message: "cannot be combined with `maxLenApprox`: Redis trims by one of them"
                    .to_owned(),
            }),
            (Some(length), None) => Ok(Some(Trim::Length(length.get()))),
            (None, Some(ttl)) => Ok(Some(Trim::Age(ttl.0))),
            (None, None) => Ok(None),
        }
    }
}

/// How long an empty consumer of a host that died stays in its group, at least.
const GONE: Duration = Duration::from_secs(600);

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: redisHost
  value: redis.example.com:6380
- name: redisPassword
  secretKeyRef:
    name: redis-password
- name: enableTLS
  value: true
- name: processingTimeout
  value: 30s
";

/// What the reference page says besides.
const NOTES: &str = "\
Needs Redis 6.2 or newer. Streams are trimmed by `maxLenApprox` or `streamTTL` only: without one of them, consumed
messages stay. No order of partition keys among several handlers.

Tested with Redis 7.0: one server, Sentinel with failover, a Cluster of three, TLS with client certificates. Not tested:
managed services, Valkey, KeyDB.
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "pubsub.redis",
        &["v1"],
        "Topics in Redis streams, in Dapr's form",
        |context, metadata| async move { Ok(Opened::pubsub(open(context, metadata).await?)) },
    )
    .example(EXAMPLE)
    .notes(NOTES)
}

async fn open(context: OpenContext, metadata: RedisMetadata) -> Result<RedisPubSub, OpenError> {
    let trim = metadata.trim()?;
    let settings = metadata.connection().settings()?;
    Ok(RedisPubSub {
        server: Server(Redis::shared(&context, settings).await?),
        terms: metadata.terms(),
        handled_max: metadata.concurrency.map(|most| most.get() as usize),
        trim,
    })
}

/// An open `pubsub.redis`.
struct RedisPubSub {
    server: Server,
    terms: Terms,
    /// `concurrency`: messages of one subscription that may be leased at the same time.
    handled_max: Option<usize>,
    trim: Option<Trim>,
}

#[async_trait]
impl PubSub for RedisPubSub {
    fn capabilities(&self) -> PubSubCapabilities {
        PubSubCapabilities {
            ttl: false,
            ordering: false,
            durable: true,
            log: true,
            history: true,
            browse: true,
            removal: true,
        }
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let add = entry::add(&message, self.trim);
        self.server.ask(&add).await.map(drop)
    }

    async fn subscribe(&self, request: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        let prefetch = request.prefetch;
        let request = SubscribeRequest {
            prefetch: self.handled_max.map_or(prefetch, |most| most.min(prefetch)),
            ..request
        };
        let consumer = RedisConsumer::join(&self.server, &request, self.terms).await?;
        Ok(Box::new(consumer))
    }

    async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        let after = after.map(str::parse).transpose()?;
        look::browse(&self.server, topic, after, limit).await
    }

    async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        look::remove(&self.server, topic, id.parse()?).await
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        look::depths(&self.server, self.server.streams().await?).await
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        self.server.ask(&redis::cmd("PING")).await.map(drop)
    }
}
