//! What a document says, checked.

use berth_blocks::registry::{
    OpenError,
    metadata::{Confidential, DurationOrMillis, DurationOrSeconds, Size},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// Metadata of `pubsub.kafka`. The doc comments become the reference page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "some entries are accepted, or refused, as they are read"
)]
pub(super) struct KafkaMetadata {
    /// Addresses of some brokers, `host:port`, with commas between them; the others are found through these.
    pub(super) brokers: Vec<String>,
    /// Consumer group, for all apps that use this backend; default: `consumerID`, and without that the app ID.
    #[serde(default)]
    pub(super) consumer_group: Option<String>,
    /// Name that the brokers' logs and quotas know this client by; default `berth`.
    #[serde(default, rename = "clientID", alias = "clientId")]
    pub(super) client_id: Option<String>,
    /// How the client shows who it is: `none` (default; without TLS, as in Dapr), `password` (SASL), `mtls` (client
    /// certificate) or `certificate` (TLS, nothing shown). `oidc` and `awsiam` are not served.
    #[serde(default)]
    pub(super) auth_type: Option<AuthType>,
    /// Older form of `authType`: `true` is `password` with a `saslPassword` and else `mtls`, `false` is `none`.
    #[serde(default)]
    pub(super) auth_required: Option<bool>,
    /// User name of `authType: password`.
    #[serde(default)]
    pub(super) sasl_username: Option<String>,
    /// Password of `authType: password`, usually through `secretKeyRef`.
    #[serde(default)]
    pub(super) sasl_password: Option<Confidential>,
    /// How the password is shown to the broker: `PLAINTEXT` (default), `SHA-256` or `SHA-512`.
    #[serde(default)]
    pub(super) sasl_mechanism: SaslMechanism,
    /// Where a group begins that has never committed anything: `oldest` (default, so that nothing published before
    /// the first start is lost) or `newest` (Dapr's default).
    #[serde(default)]
    pub(super) initial_offset: InitialOffset,
    /// Bytes of a message that this client sends at most; default 24 MiB, which leaves it to the broker.
    #[serde(default)]
    pub(super) max_message_bytes: Option<Size>,
    /// Whether a message that was handed back comes again; default `true`. With `false` it is skipped, as in Dapr,
    /// unless a dead-letter topic takes it.
    #[serde(default)]
    pub(super) consume_retry_enabled: Option<bool>,
    /// Shortest pause before a message that was handed back comes again; a bare number counts milliseconds; default
    /// `100ms`.
    #[serde(default)]
    pub(super) consume_retry_interval: Option<DurationOrMillis>,
    /// No effect: the client finds out what the brokers speak.
    #[serde(default)]
    pub(super) version: Option<String>,
    /// Certificates in PEM that the brokers' certificates are checked against; default: those of the system.
    #[serde(default)]
    pub(super) ca_cert: Option<String>,
    /// Certificate in PEM of `authType: mtls`.
    #[serde(default)]
    pub(super) client_cert: Option<String>,
    /// Key in PEM to `clientCert`, usually through `secretKeyRef`.
    #[serde(default)]
    pub(super) client_key: Option<Confidential>,
    /// Takes any certificate for the broker's: not for production; default `false`.
    #[serde(default)]
    pub(super) skip_verify: bool,
    /// Speaks without TLS: not for production; default `false`.
    #[serde(default)]
    pub(super) disable_tls: bool,
    /// How often a consumer tells its group that it lives; default `3s`.
    #[serde(default)]
    pub(super) heartbeat_interval: Option<DurationOrSeconds>,
    /// After this long without a sign of life a consumer's partitions go to others; default `10s`.
    #[serde(default)]
    pub(super) session_timeout: Option<DurationOrSeconds>,
    /// How a group deals its partitions out: `range` (default), `roundrobin`, or `sticky`, which moves as few as it
    /// can but needs `sticky` in every member, and no member that is Dapr's.
    #[serde(default)]
    pub(super) consumer_group_rebalance_strategy: RebalanceStrategy,
    /// Messages of one partition that are held in memory ahead of the app; default 256.
    #[serde(default)]
    pub(super) channel_buffer_size: Option<u32>,
    /// Bytes that a broker collects before it answers a consumer; default 1.
    #[serde(default)]
    pub(super) consumer_fetch_min: Option<Size>,
    /// Bytes that a consumer asks a partition for at a time; default 1 MiB. Larger messages still come.
    #[serde(default)]
    pub(super) consumer_fetch_default: Option<Size>,
    /// How published messages are packed: `none` (default), `gzip`, `snappy`, `lz4` or `zstd`.
    #[serde(default)]
    pub(super) compression: Compression,
    /// Encodes header values of received messages as in a URL, as Dapr does for HTTP; default `false`.
    #[serde(default)]
    pub(super) escape_headers: bool,
    /// How often the list of topics and partitions is read anew; default `8m`.
    #[serde(default)]
    pub(super) client_connection_topic_metadata_refresh_interval: Option<DurationOrSeconds>,
    /// Closes connections that were silent for this long; default `0`, never.
    #[serde(default)]
    pub(super) client_connection_keep_alive_interval: Option<DurationOrSeconds>,
    /// Not served: authentication by OpenID Connect.
    #[serde(default)]
    oidc_token_endpoint: Option<NoOidc>,
    /// Not served: authentication by OpenID Connect.
    #[serde(default, rename = "oidcClientID")]
    oidc_client_id: Option<NoOidc>,
    /// Not served: authentication by OpenID Connect.
    #[serde(default)]
    oidc_client_secret: Option<NoOidc>,
    /// Not served: authentication by OpenID Connect.
    #[serde(default)]
    oidc_scopes: Option<NoOidc>,
    /// Not served: authentication by OpenID Connect.
    #[serde(default)]
    oidc_extensions: Option<NoOidc>,
    /// Not served: authentication by AWS IAM.
    #[serde(default)]
    aws_region: Option<NoAwsIam>,
    /// Not served: authentication by AWS IAM.
    #[serde(default)]
    aws_access_key: Option<NoAwsIam>,
    /// Not served: authentication by AWS IAM.
    #[serde(default)]
    aws_secret_key: Option<NoAwsIam>,
    /// Not served: authentication by AWS IAM.
    #[serde(default)]
    aws_session_token: Option<NoAwsIam>,
    /// Not served: authentication by AWS IAM.
    #[serde(default)]
    aws_iam_role_arn: Option<NoAwsIam>,
    /// Not served: authentication by AWS IAM.
    #[serde(default)]
    aws_sts_session_name: Option<NoAwsIam>,
    /// Not served: schema registries.
    #[serde(default, rename = "schemaRegistryURL")]
    schema_registry_url: Option<NoSchemas>,
    /// Not served: schema registries.
    #[serde(default, rename = "schemaRegistryAPIKey")]
    schema_registry_api_key: Option<NoSchemas>,
    /// Not served: schema registries.
    #[serde(default, rename = "schemaRegistryAPISecret")]
    schema_registry_api_secret: Option<NoSchemas>,
    /// Not served: schema registries.
    #[serde(default)]
    schema_caching_enabled: Option<NoSchemas>,
    /// Not served: schema registries.
    #[serde(default, rename = "schemaLatestVersionCacheTTL")]
    schema_latest_version_cache_ttl: Option<NoSchemas>,
}

/// An entry of Dapr's that cannot be honoured: who sets it is told so and does not get something else instead.
macro_rules! not_served {
    ($name:ident, $reason:literal) => {
        #[derive(Debug, JsonSchema)]
        #[schemars(inline, with = "String")]
        struct $name;

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Err(serde::de::Error::custom($reason))
            }
        }
    };
}

not_served!(
    NoOidc,
    "berth does not serve authentication by OpenID Connect: use `authType: password`, `mtls` or `certificate`"
);
not_served!(
    NoAwsIam,
    "berth does not serve authentication by AWS IAM: use `authType: password` (SCRAM) or `mtls`, which MSK offers too"
);
not_served!(
    NoSchemas,
    "berth does not serve schema registries: messages are CloudEvents in JSON, or raw bytes"
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum AuthType {
    None,
    Password,
    Mtls,
    Certificate,
    Oidc,
    #[serde(rename = "oidc_private_key_jwt")]
    OidcPrivateKeyJwt,
    Awsiam,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum SaslMechanism {
    #[default]
    #[serde(rename = "PLAINTEXT", alias = "PLAIN")]
    Plain,
    #[serde(rename = "SHA-256", alias = "SCRAM-SHA-256")]
    Sha256,
    #[serde(rename = "SHA-512", alias = "SCRAM-SHA-512")]
    Sha512,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum InitialOffset {
    #[default]
    Oldest,
    Newest,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RebalanceStrategy {
    #[default]
    Range,
    Roundrobin,
    Sticky,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Compression {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// What the client shows the broker.
#[derive(Debug)]
pub(super) enum Credentials<'a> {
    Nothing,
    Password {
        username: &'a str,
        password: &'a Confidential,
    },
    Certificate {
        certificate: &'a str,
        key: &'a Confidential,
    },
}

impl KafkaMetadata {
    /// Whether what belongs together is there.
    pub(super) fn check(&self) -> Result<(), OpenError> {
        if self.brokers.is_empty() {
            return Err(wrong("brokers", "names no broker: expected `host:port`"));
        }
        self.credentials()?;
        let pems = [("caCert", &self.ca_cert), ("clientCert", &self.client_cert)];
        for (field, pem) in pems {
            if pem.as_deref().is_some_and(|pem| !is_pem(pem)) {
                return Err(wrong(field, "is not in PEM: expected `-----BEGIN …`"));
            }
        }
        let key = self.client_key.as_ref();
        if key.is_some_and(|Confidential(key)| !is_pem(key.reveal())) {
            return Err(wrong("clientKey", "is not in PEM: expected `-----BEGIN …`"));
        }
        if self.heartbeat_interval() >= self.session_timeout() {
            return Err(wrong(
                "heartbeatInterval",
                "must be shorter than `sessionTimeout`",
            ));
        }
        if self.channel_buffer_size == Some(0) {
            return Err(wrong("channelBufferSize", "must be more than 0"));
        }
        Ok(())
    }

    fn auth_type(&self) -> AuthType {
        match (self.auth_type, self.auth_required) {
            (Some(own), _) => own,
            (None, Some(true)) if self.sasl_password.is_some() => AuthType::Password,
            (None, Some(true)) => AuthType::Mtls,
            (None, _) => AuthType::None,
        }
    }

    /// As in Dapr: `authType: none` never speaks TLS, all others do unless they are told not to.
    pub(super) fn tls(&self) -> bool {
        self.auth_type() != AuthType::None && !self.disable_tls
    }

    pub(super) fn credentials(&self) -> Result<Credentials<'_>, OpenError> {
        match self.auth_type() {
            AuthType::None => Ok(Credentials::Nothing),
            AuthType::Password => match (self.sasl_username.as_deref(), &self.sasl_password) {
                (Some(username), Some(password)) if !username.is_empty() => {
                    Ok(Credentials::Password { username, password })
                }
                (_, Some(_)) => Err(wrong(
                    "saslUsername",
                    "missing: `authType: password` needs it",
                )),
                _ => Err(wrong(
                    "saslPassword",
                    "missing: `authType: password` needs it",
                )),
            },
            AuthType::Mtls if self.disable_tls => Err(wrong(
                "disableTls",
                "cannot be `true` with `authType: mtls`, whose certificates travel in TLS",
            )),
            AuthType::Mtls => match (self.client_cert.as_deref(), &self.client_key) {
                (Some(certificate), Some(key)) => Ok(Credentials::Certificate { certificate, key }),
                (None, None) => Ok(Credentials::Nothing),
                (None, _) => Err(wrong(
                    "clientCert",
                    "missing: `clientKey` is of no use without it",
                )),
                (_, None) => Err(wrong(
                    "clientKey",
                    "missing: `clientCert` is of no use without it",
                )),
            },
            AuthType::Certificate if self.ca_cert.is_none() => {
                Err(wrong("caCert", "missing: `authType: certificate` needs it"))
            }
            AuthType::Certificate => Ok(Credentials::Nothing),
            AuthType::Oidc | AuthType::OidcPrivateKeyJwt => Err(wrong(
                "authType",
                "berth does not serve `oidc`: use `password`, `mtls` or `certificate`",
            )),
            AuthType::Awsiam => Err(wrong(
                "authType",
                "berth does not serve `awsiam`: use `password` (SCRAM) or `mtls`, which MSK offers too",
            )),
        }
    }

    pub(super) fn heartbeat_interval(&self) -> Duration {
        let own = self.heartbeat_interval.as_ref();
        own.map_or(Duration::from_secs(3), |interval| interval.0)
    }

    pub(super) fn session_timeout(&self) -> Duration {
        let own = self.session_timeout.as_ref();
        own.map_or(Duration::from_secs(10), |timeout| timeout.0)
    }
}

fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN ")
}

fn wrong(field: &str, message: &str) -> OpenError {
    OpenError::Metadata {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}
