//! Metadata as librdkafka's configuration.

use super::metadata::{
    Compression, Credentials, InitialOffset, KafkaMetadata, RebalanceStrategy, SaslMechanism,
};
use berth_blocks::registry::{OpenError, metadata::Confidential};
use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::OnceLock,
    time::Duration,
};

/// How long a publish or a question may take.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long librdkafka waits for more messages before it sends what it has: a lone publish waits this long.
const LINGER_MILLIS: u32 = 1;
/// Offsets that are done are committed this often.
pub(super) const COMMIT_INTERVAL: Duration = Duration::from_millis(250);
/// Default of `maxMessageBytes`: what a guest may send at most fits, base64 and envelope included.
const MESSAGE_BYTES_MAX: u64 = 24 << 20;
/// Bytes that wait to be sent; publishing waits beyond.
const UNSENT_KBYTES_MAX: u32 = 64 << 10;
/// Bytes of one partition that librdkafka fetches ahead.
const FETCHED_KBYTES_MAX: u32 = 8 << 10;
/// Messages of one partition beyond which librdkafka pauses for [`FETCH_PAUSE`]: more than guests handle meanwhile.
const FETCHED_MESSAGES: u32 = 10_000;
/// After so long it looks again whether the app has taken what was fetched ahead.
const FETCH_PAUSE: Duration = Duration::from_millis(50);
/// Handlers may take as long as they like, since polling goes on without them; this is for a process that hangs.
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(300);

/// What the driver needs to know.
pub(super) struct Settings {
    /// As in the document, for error messages.
    pub(super) brokers: String,
    client: ClientConfig,
    producer: Vec<(&'static str, String)>,
    consumer: Vec<(&'static str, String)>,
    /// Tells passwords apart.
    secrets: u64,
    pub(super) consumer_group: Option<String>,
    pub(super) initial_offset: InitialOffset,
    pub(super) delivery: Delivery,
}

/// How messages are handed out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    /// Messages of one partition that are held at most.
    pub(super) buffer: usize,
    /// Shortest pause before a failed message comes again.
    pub(super) retry_interval: Duration,
    /// Whether it comes again at all.
    pub(super) retry: bool,
    /// Whether header values are encoded as in a URL.
    pub(super) escape_headers: bool,
}

impl Settings {
    pub(super) fn new(metadata: &KafkaMetadata) -> Result<Self, OpenError> {
        metadata.check()?;
        let brokers = metadata.brokers.join(",");
        Ok(Self {
            client: client(metadata, &brokers)?,
            producer: producer(metadata),
            consumer: consumer(metadata),
            secrets: secrets(metadata),
            consumer_group: metadata
                .consumer_group
                .clone()
                .filter(|own| !own.is_empty()),
            initial_offset: metadata.initial_offset,
            delivery: Delivery {
                buffer: buffer(metadata) as usize,
                retry_interval: metadata
                    .consume_retry_interval
                    .as_ref()
                    .map_or(Duration::from_millis(100), |interval| interval.0),
                retry: metadata.consume_retry_enabled.unwrap_or(true),
                escape_headers: metadata.escape_headers,
            },
            brokers,
        })
    }

    pub(super) fn producer(&self) -> ClientConfig {
        extended(&self.client, &self.producer)
    }

    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = extended(&self.client, &self.consumer);
        config.set("group.id", group);
        config
    }

    /// For looking into topics: belongs to no group and commits nothing.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = extended(&self.client, &self.consumer);
        // Without a name librdkafka assigns no partitions. No group of this name ever exists, since nobody joins it.
        config
            .set("group.id", "berth-browse")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false");
        config
    }

    /// Names connections that may be shared.
    pub(super) fn identity(&self) -> String {
        let config = self.producer();
        let hash = keyed_hash((config.config_map(), self.secrets));
        format!("kafka {} {hash:016x}", self.brokers)
    }
}

/// A hash that only this process can compute: no password can be guessed by it.
fn keyed_hash(value: impl Hash) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).hash_one(value)
}

/// A hash of what the client's own map of its settings leaves out.
fn secrets(metadata: &KafkaMetadata) -> u64 {
    let reveal = |own: &Option<Confidential>| own.as_ref().map(|own| own.0.reveal().to_owned());
    keyed_hash((
        reveal(&metadata.sasl_password),
        reveal(&metadata.client_key),
    ))
}

fn extended(base: &ClientConfig, entries: &[(&'static str, String)]) -> ClientConfig {
    let mut config = base.clone();
    for (name, value) in entries {
        config.set(*name, value);
    }
    config
}

fn client(metadata: &KafkaMetadata, brokers: &str) -> Result<ClientConfig, OpenError> {
    let refresh = metadata
        .client_connection_topic_metadata_refresh_interval
        .as_ref()
        .map(|interval| interval.0)
        .filter(|interval| !interval.is_zero());
    let idle = metadata.client_connection_keep_alive_interval.as_ref();
    let mut config = ClientConfig::new();
    config
        .set_log_level(RDKafkaLogLevel::Info)
        .set("bootstrap.servers", brokers)
        .set(
            "client.id",
            metadata.client_id.as_deref().unwrap_or("berth"),
        )
        .set("socket.nagle.disable", "true")
        .set("socket.timeout.ms", "10000")
        .set("socket.connection.setup.timeout.ms", millis(CALL_TIMEOUT))
        // Backoff with jitter, built in.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set("log.connection.close", "false")
        .set("allow.auto.create.topics", "true")
        .set(
            "topic.metadata.refresh.interval.ms",
            millis(refresh.unwrap_or(Duration::from_secs(8 * 60))),
        )
        // A topic that was just created is not known to all brokers at once.
        .set("topic.metadata.propagation.max.ms", "2000")
        .set(
            "connections.max.idle.ms",
            millis(idle.map_or(Duration::ZERO, |interval| interval.0)),
        );
    secure(&mut config, metadata)?;
    Ok(config)
}

fn secure(config: &mut ClientConfig, metadata: &KafkaMetadata) -> Result<(), OpenError> {
    let credentials = metadata.credentials()?;
    let sasl = matches!(credentials, Credentials::Password { .. });
    let protocol = match (sasl, metadata.tls()) {
        (false, false) => "plaintext",
        (false, true) => "ssl",
        (true, false) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    match credentials {
        Credentials::Nothing => {}
        Credentials::Password {
            username,
            password: Confidential(password),
        } => {
            let mechanism = match metadata.sasl_mechanism {
                SaslMechanism::Plain => "PLAIN",
                SaslMechanism::Sha256 => "SCRAM-SHA-256",
                SaslMechanism::Sha512 => "SCRAM-SHA-512",
            };
            config
                .set("sasl.mechanisms", mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.reveal());
        }
        Credentials::Certificate {
            certificate,
            key: Confidential(key),
        } => {
            config
                .set("ssl.certificate.pem", certificate)
                .set("ssl.key.pem", key.reveal());
        }
    }
    if metadata.tls() {
        if let Some(authority) = &metadata.ca_cert {
            config.set("ssl.ca.pem", authority);
        }
        if metadata.skip_verify {
            config
                .set("enable.ssl.certificate.verification", "false")
                .set("ssl.endpoint.identification.algorithm", "none");
        }
    }
    Ok(())
}

fn producer(metadata: &KafkaMetadata) -> Vec<(&'static str, String)> {
    let own = metadata.max_message_bytes.as_ref().map(|size| size.0);
    let size = own.filter(|size| *size > 0).unwrap_or(MESSAGE_BYTES_MAX);
    let compression = match metadata.compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    };
    vec![
        // Acknowledged by all replicas in step, and neither doubled nor out of order when librdkafka sends again.
        ("enable.idempotence", "true".to_owned()),
        ("linger.ms", LINGER_MILLIS.to_string()),
        ("message.timeout.ms", millis(CALL_TIMEOUT)),
        // The hash of Dapr's client, so that one key goes to one partition, whoever publishes.
        ("partitioner", "fnv1a_random".to_owned()),
        ("compression.type", compression.to_owned()),
        ("message.max.bytes", size.to_string()),
        ("queue.buffering.max.kbytes", UNSENT_KBYTES_MAX.to_string()),
    ]
}

fn consumer(metadata: &KafkaMetadata) -> Vec<(&'static str, String)> {
    let session = metadata.session_timeout();
    let reset = match metadata.initial_offset {
        InitialOffset::Oldest => "earliest",
        InitialOffset::Newest => "latest",
    };
    let strategy = match metadata.consumer_group_rebalance_strategy {
        RebalanceStrategy::Range => "range",
        RebalanceStrategy::Roundrobin => "roundrobin",
        RebalanceStrategy::Sticky => "cooperative-sticky",
    };
    let bytes = |own: &Option<berth_blocks::registry::metadata::Size>, default: u64| {
        let own = own.as_ref().map_or(default, |size| size.0);
        own.clamp(1, 1_000_000_000).to_string()
    };
    vec![
        // What is committed is stored by hand, message by message, and only when it is finished.
        ("enable.auto.offset.store", "false".to_owned()),
        ("enable.auto.commit", "true".to_owned()),
        ("auto.commit.interval.ms", millis(COMMIT_INTERVAL)),
        ("auto.offset.reset", reset.to_owned()),
        ("session.timeout.ms", millis(session)),
        (
            "heartbeat.interval.ms",
            millis(metadata.heartbeat_interval()),
        ),
        (
            "max.poll.interval.ms",
            millis(POLL_INTERVAL_MAX.max(session)),
        ),
        ("partition.assignment.strategy", strategy.to_owned()),
        ("fetch.min.bytes", bytes(&metadata.consumer_fetch_min, 1)),
        (
            "max.partition.fetch.bytes",
            bytes(&metadata.consumer_fetch_default, 1 << 20),
        ),
        ("fetch.error.backoff.ms", "100".to_owned()),
        ("fetch.queue.backoff.ms", millis(FETCH_PAUSE)),
        (
            "queued.min.messages",
            buffer(metadata).max(FETCHED_MESSAGES).to_string(),
        ),
        ("queued.max.messages.kbytes", FETCHED_KBYTES_MAX.to_string()),
    ]
}

fn buffer(metadata: &KafkaMetadata) -> u32 {
    metadata.channel_buffer_size.unwrap_or(256).min(100_000)
}

fn millis(duration: Duration) -> String {
    // What librdkafka can hold; nobody waits longer than that.
    duration.as_millis().min(86_400_000).to_string()
}
