//! Metadata of `pubsub.rabbitmq`, and what follows from it.

use super::link::Target;
use berth_blocks::registry::{
    OpenError,
    metadata::{Confidential, DurationOrSeconds},
};
use lapin::{
    ExchangeKind,
    tcp::{OwnedIdentity, OwnedTLSConfig},
    uri::AMQPUri,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Metadata of `pubsub.rabbitmq`. The doc comments become the reference page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RabbitMetadata {
    /// Where the broker is: `amqp://user:password@host:5672/vhost`, or `amqps://` with TLS. Excludes `hostname`,
    /// `username` and `password`. A virtual host is percent-encoded; without one it is `/`.
    #[serde(default, alias = "host")]
    connection_string: Option<Confidential>,
    /// `amqp` or `amqps`; default: as in `connectionString`, else `amqp`.
    #[serde(default)]
    protocol: Option<Protocol>,
    /// Name or address of the broker, with `:port` if it is not the usual one. Excludes `connectionString`.
    #[serde(default)]
    hostname: Option<String>,
    /// User; default `guest`, who may only come from the broker's own machine.
    #[serde(default)]
    username: Option<String>,
    /// Password of the user; default `guest`.
    #[serde(default)]
    password: Option<Confidential>,
    /// Exchanges and queues outlive a restart of the broker. Default `true`; in Dapr `false`.
    #[serde(default)]
    durable: Option<bool>,
    /// Queues and exchanges go with their last consumer, and messages with them. Default `false`; in Dapr `true`.
    #[serde(default)]
    deleted_when_unused: bool,
    /// Must be `false`: berth acknowledges a message once it was handled.
    #[serde(default)]
    auto_ack: bool,
    /// `2`: messages are written to disk; `0` or `1`: they are lost when the broker restarts. Default `2`; in Dapr `0`.
    #[serde(default)]
    delivery_mode: Option<u8>,
    /// No effect: berth gives a message back until it was handled or is a dead letter.
    #[serde(default)]
    #[expect(dead_code, reason = "read so that documents of Dapr are valid")]
    requeue_in_failure: bool,
    /// Messages that the broker sends ahead to one subscription; default `0`: as many as its app handles at once.
    #[serde(default)]
    prefetch_count: u16,
    /// The longest pause between attempts to connect; default `3s`.
    #[serde(
        default,
        alias = "reconnectWaitSeconds",
        alias = "reconnectWaitInSeconds"
    )]
    reconnect_wait: Option<DurationOrSeconds>,
    /// `single`: a subscription handles one message after the other. Default `parallel`.
    #[serde(default, alias = "concurrencyMode")]
    concurrency: Option<Concurrency>,
    /// A publish returns once the broker has the message as durably as it can. Default `true`; in Dapr `false`.
    #[serde(default)]
    publisher_confirm: Option<bool>,
    /// Declares `dlx-<queue>` and `dlq-<queue>` as Dapr does, for what expires in a queue or exceeds its length. Not
    /// needed for the dead-letter topics of subscriptions. Default `false`.
    #[serde(default)]
    enable_dead_letter: bool,
    /// Messages that a queue holds at most; the oldest go beyond. Default: no limit.
    #[serde(default)]
    max_len: Option<u32>,
    /// Bytes that a queue holds at most; the oldest messages go beyond. Default: no limit.
    #[serde(default)]
    max_len_bytes: Option<u64>,
    /// Highest priority of messages, 1 to 255, for classic queues; the metadata entry `priority` of a message sets its
    /// own. Default: no priorities.
    #[serde(default)]
    max_priority: Option<u8>,
    /// `classic` or `quorum`, which is replicated and counts deliveries. Default `classic`; a subscription may say
    /// otherwise.
    #[serde(default)]
    queue_type: QueueType,
    /// How an exchange routes: `fanout`, `direct`, `topic` or `headers`; all but `fanout` look at `routingKey` in the
    /// metadata of messages and subscriptions. Default `fanout`.
    #[serde(default)]
    exchange_kind: Kind,
    /// How long messages without a time to live of their own wait in a queue, up to 49 days; default: for ever.
    #[serde(default)]
    ttl_in_seconds: Option<DurationOrSeconds>,
    /// The client's name in the broker's listings; default: none.
    #[serde(default)]
    client_name: Option<String>,
    /// Silence after which a connection counts as dead; default `10s`.
    #[serde(default)]
    heart_beat: Option<DurationOrSeconds>,
    /// With TLS: the user is who the client certificate says. Default `false`.
    #[serde(default)]
    sasl_external: bool,
    /// Certificates of authorities in PEM form, beyond those of the system.
    #[serde(default)]
    ca_cert: Option<String>,
    /// Client certificate in PEM form; needs `clientKey`.
    #[serde(default)]
    client_cert: Option<String>,
    /// Key of the client certificate in PEM form.
    #[serde(default)]
    client_key: Option<Confidential>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Amqp,
    Amqps,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Concurrency {
    Parallel,
    Single,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum QueueType {
    #[default]
    Classic,
    Quorum,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Fanout,
    Direct,
    Topic,
    Headers,
}

impl From<Kind> for ExchangeKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Fanout => Self::Fanout,
            Kind::Direct => Self::Direct,
            Kind::Topic => Self::Topic,
            Kind::Headers => Self::Headers,
        }
    }
}

/// How exchanges, queues and messages are made.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) delivery_mode: u8,
    pub(super) prefetch: Option<u16>,
    /// One message after the other.
    pub(super) single: bool,
    pub(super) confirm: bool,
    pub(super) dead_letter: bool,
    pub(super) max_len: Option<u32>,
    pub(super) max_len_bytes: Option<u64>,
    pub(super) max_priority: Option<u8>,
    pub(super) queue_type: QueueType,
    pub(super) kind: Kind,
    pub(super) ttl: Option<Duration>,
}

impl Settings {
    /// Whether acknowledged messages survive the host and the broker.
    pub(super) fn is_durable(&self) -> bool {
        self.durable && !self.auto_delete && self.confirm && self.delivery_mode == 2
    }
}

impl RabbitMetadata {
    pub(super) fn settings(&self) -> Result<Settings, OpenError> {
        if self.auto_ack {
            return wrong(
                "autoAck",
                "must be false: berth acknowledges a message once it was handled",
            );
        }
        let delivery_mode = self.delivery_mode.unwrap_or(2);
        if delivery_mode > 2 {
            return wrong("deliveryMode", "must be 0, 1 or 2");
        }
        if self.max_priority == Some(0) {
            return wrong("maxPriority", "must be 1 to 255");
        }
        let ttl = self.ttl_in_seconds.as_ref().map(|ttl| ttl.0);
        if ttl.is_some_and(|ttl| ttl > super::message::TTL_MAX) {
            return wrong("ttlInSeconds", "must be at most 49 days");
        }
        Ok(Settings {
            durable: self.durable.unwrap_or(true),
            auto_delete: self.deleted_when_unused,
            delivery_mode,
            prefetch: Some(self.prefetch_count).filter(|count| *count > 0),
            single: self.concurrency == Some(Concurrency::Single),
            confirm: self.publisher_confirm.unwrap_or(true),
            dead_letter: self.enable_dead_letter,
            max_len: self.max_len,
            max_len_bytes: self.max_len_bytes,
            max_priority: self.max_priority,
            queue_type: self.queue_type,
            kind: self.exchange_kind,
            ttl,
        })
    }

    pub(super) fn target(&self) -> Result<Target, OpenError> {
        let mut uri = self.uri()?;
        let heartbeat = self.heart_beat.as_ref().map_or(10, |beat| beat.0.as_secs());
        uri.query.heartbeat = Some(u16::try_from(heartbeat).unwrap_or(u16::MAX).max(1));
        if self.sasl_external {
            uri.query.auth_mechanism = Some(lapin::uri::SASLMechanism::External);
        }
        let wait = self.reconnect_wait.as_ref();
        Ok(Target {
            uri,
            tls: self.tls()?,
            client_name: self.client_name.clone(),
            reconnect_wait: wait.map_or(Duration::from_secs(3), |wait| wait.0),
        })
    }

    fn uri(&self) -> Result<AMQPUri, OpenError> {
        if let Some(text) = &self.connection_string {
            let parts = [
                ("hostname", self.hostname.is_some()),
                ("username", self.username.is_some()),
                ("password", self.password.is_some()),
            ];
            if let Some((field, _)) = parts.into_iter().find(|(_, given)| *given) {
                return wrong(field, "either this or `connectionString`");
            }
            let text = text.0.reveal();
            let uri = parse_uri(text, "connectionString")?;
            let scheme = text.split(':').next().unwrap_or_default();
            if self.protocol.is_some_and(|own| own.scheme() != scheme) {
                return wrong("protocol", "differs from that of `connectionString`");
            }
            return Ok(uri);
        }
        let Some(hostname) = self.hostname.as_deref().filter(|name| !name.is_empty()) else {
            return wrong(
                "connectionString",
                "missing: set it, or `hostname` with `username` and `password`",
            );
        };
        let scheme = self.protocol.unwrap_or(Protocol::Amqp).scheme();
        let mut uri = parse_uri(&format!("{scheme}://{hostname}"), "hostname")?;
        if let Some(username) = &self.username {
            uri.authority.userinfo.username.clone_from(username);
        }
        if let Some(password) = &self.password {
            uri.authority.userinfo.password = password.0.reveal().to_owned();
        }
        Ok(uri)
    }

    fn tls(&self) -> Result<OwnedTLSConfig, OpenError> {
        let pem = |field: &str, text: &str, what: &str| {
            if text.contains("-----BEGIN") {
                return Ok(());
            }
            wrong(
                field,
                &format!("must be {what} in PEM form, `-----BEGIN ...`"),
            )
        };
        if let Some(certificates) = &self.ca_cert {
            pem("caCert", certificates, "certificates")?;
        }
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => {
                pem("clientCert", certificate, "a certificate")?;
                pem("clientKey", key.0.reveal(), "a key")?;
                Some(OwnedIdentity::PKCS8 {
                    pem: certificate.clone().into_bytes(),
                    key: key.0.reveal().as_bytes().to_vec(),
                })
            }
            (None, None) => None,
            (Some(_), None) => return wrong("clientKey", "missing, but `clientCert` needs it"),
            (None, Some(_)) => return wrong("clientCert", "missing, but `clientKey` needs it"),
        };
        Ok(OwnedTLSConfig {
            identity,
            cert_chain: self.ca_cert.clone(),
        })
    }
}

impl Protocol {
    fn scheme(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Amqps => "amqps",
        }
    }
}

fn wrong<T>(field: &str, message: &str) -> Result<T, OpenError> {
    Err(OpenError::Metadata {
        field: field.to_owned(),
        message: message.to_owned(),
    })
}

/// The parser's own errors show the text, password included.
fn parse_uri(text: &str, field: &str) -> Result<AMQPUri, OpenError> {
    let Ok(mut uri) = text.parse::<AMQPUri>() else {
        let form = match field {
            "hostname" => "expected `host` or `host:port`",
            _ => "expected `amqp://user:password@host:port/vhost` or `amqps://...`",
        };
        return wrong(field, form);
    };
    // The parser takes an address in brackets for none, and none for localhost.
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        uri.authority.host = address.to_owned();
    }
    // As every other client has it: a path of nothing but the slash is the usual virtual host.
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    Ok(uri)
}
