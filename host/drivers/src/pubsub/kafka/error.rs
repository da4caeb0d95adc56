//! What librdkafka's errors mean.

use berth_blocks::{pubsub::PubSubError, registry::OpenError};
use parking_lot::Mutex;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::sync::atomic::{AtomicBool, Ordering};

/// What keeps a client from its brokers, as librdkafka tells it beside the calls that fail for it.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    last: Mutex<Option<(Cause, String)>>,
    /// Whether anything was noted: what every publish that succeeds looks at.
    noted: AtomicBool,
    all_down: AtomicBool,
}

/// What went wrong with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Refused,
    Name,
    Tls,
    Credentials,
    Other,
}

impl Cause {
    fn of(code: Code, reason: &str) -> Self {
        match code {
            Code::Resolve => Self::Name,
            Code::SSL => Self::Tls,
            Code::Authentication | Code::SaslAuthenticationFailed => Self::Credentials,
            Code::BrokerTransportFailure if reason.contains("Connection refused") => Self::Refused,
            // A listener without TLS hangs up in the middle of it.
            Code::BrokerTransportFailure if reason.contains("SSL_HANDSHAKE") => Self::Tls,
            _ => Self::Other,
        }
    }

    fn tell(self, brokers: &str, reason: &str) -> String {
        match self {
            Self::Refused => format!(
                "connecting to Kafka at {brokers}: connection refused: does a broker listen there, and is `brokers` \
                 right? ({reason})"
            ),
            Self::Name => format!(
                "connecting to Kafka at {brokers}: a name cannot be resolved: check `brokers` and the names that the \
                 brokers advertise ({reason})"
            ),
            Self::Tls => format!(
                "connecting to Kafka at {brokers}: TLS failed: check `caCert`, and whether this listener speaks TLS \
                 (`disableTls`) ({reason})"
            ),
            Self::Credentials => format!(
                "connecting to Kafka at {brokers}: the broker refuses the credentials: check `saslUsername`, \
                 `saslPassword` and `saslMechanism` ({reason})"
            ),
            Self::Other => format!(
                "connecting to Kafka at {brokers}: {reason}: check `brokers`, and whether the listener wants TLS or a \
                 password (`authType`)"
            ),
        }
    }
}

impl Trouble {
    /// Takes note of an error event.
    pub(super) fn note(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        self.noted.store(true, Ordering::Relaxed);
        if code == Code::AllBrokersDown {
            self.all_down.store(true, Ordering::Relaxed);
            return;
        }
        let cause = Cause::of(code, reason);
        let mut last = self.last.lock();
        // A name that resolves to two addresses fails twice; the first cause with a name is the telling one.
        if cause != Cause::Other || last.is_none() {
            *last = Some((cause, reason.to_owned()));
        }
    }

    /// A broker has answered.
    pub(super) fn over(&self) {
        if !self.noted.swap(false, Ordering::Relaxed) {
            return;
        }
        self.all_down.store(false, Ordering::Relaxed);
        *self.last.lock() = None;
    }

    /// Whether waiting longer is of no use: no broker can be reached, or they do not let us in.
    pub(super) fn is_hopeless(&self) -> bool {
        let last = self.last.lock().as_ref().map(|(cause, _)| *cause);
        match last {
            Some(Cause::Credentials | Cause::Tls) => true,
            last => last.is_some() && self.all_down.load(Ordering::Relaxed),
        }
    }

    /// What to tell the user.
    pub(super) fn tell(&self, brokers: &str) -> Option<String> {
        let last = self.last.lock();
        last.as_ref()
            .map(|(cause, reason)| cause.tell(brokers, reason))
    }
}

/// What an error means to a guest. Whatever another attempt may cure is `Unavailable`.
pub(super) fn pubsub_error(what: &str, error: &KafkaError) -> PubSubError {
    let Some(code) = error.rdkafka_error_code() else {
        return PubSubError::Other(format!("{what}: {error}"));
    };
    let message = format!("{what}: {}", describe(code));
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => PubSubError::TooLarge(message),
        Code::InvalidTopic | Code::UnknownPartition | Code::InvalidArgument => {
            PubSubError::Invalid(message)
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => PubSubError::Denied(message),
        Code::Fatal
        | Code::InvalidConfig
        | Code::UnsupportedFeature
        | Code::InvalidGroupId
        | Code::InconsistentGroupProtocol => PubSubError::Other(message),
        _ => PubSubError::Unavailable(message),
    }
}

/// A code in words, with what to do where that is known.
fn describe(code: Code) -> String {
    match code {
        Code::UnknownTopic | Code::UnknownTopicOrPartition => {
            "the topic does not exist, and the broker does not create topics by itself: create it, or set the broker's \
             `auto.create.topics.enable`"
                .to_owned()
        }
        Code::InvalidTopic => {
            "Kafka takes topic names of letters, digits, `.`, `_` and `-`, at most 249".to_owned()
        }
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            "the message is larger than `maxMessageBytes` or the broker's `message.max.bytes`".to_owned()
        }
        Code::MessageTimedOut => "no broker took the message in time".to_owned(),
        Code::UnknownPartition => "the topic has no such partition".to_owned(),
        Code::InconsistentGroupProtocol => {
            "the group's other members deal partitions out in another way: set `consumerGroupRebalanceStrategy` to \
             theirs"
                .to_owned()
        }
        code => code.to_string(),
    }
}

/// What librdkafka says of its configuration; values are left out, since some are passwords.
pub(super) fn config_error(error: &KafkaError) -> OpenError {
    match error {
        KafkaError::ClientConfig(_, reason, name, _) => {
            let secret = name.contains("password") || name.contains("key");
            let reason = if secret { "it is not valid" } else { reason };
            OpenError::Backend(format!("librdkafka refuses `{name}`: {reason}"))
        }
        other => OpenError::Backend(format!("librdkafka: {other}")),
    }
}
