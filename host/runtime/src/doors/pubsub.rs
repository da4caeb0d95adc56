//! `berth:pubsub/publisher`.

use crate::{
    bindings::berth::pubsub::{publisher as wit, types},
    instance::GuestState,
};
use berth_blocks::{BulkMessage, Message, PublishOptions, pubsub::PubSubError};
use bytes::Bytes;
use std::time::Duration;

type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

impl types::Host for GuestState {}

impl wit::Host for GuestState {
    async fn publish(
        &mut self,
        pubsub: String,
        topic: String,
        message: wit::Message,
        options: wit::PublishOptions,
    ) -> Answer<()> {
        let publisher = self.blocks.publisher(&self.caller, &pubsub);
        Ok(publisher
            .publish(&topic, message.into(), options.into())
            .await
            .map_err(Into::into))
    }

    async fn bulk_publish(
        &mut self,
        pubsub: String,
        topic: String,
        messages: Vec<wit::BulkMessage>,
        options: wit::PublishOptions,
    ) -> Answer<Vec<wit::BulkFailure>> {
        let publisher = self.blocks.publisher(&self.caller, &pubsub);
        let messages = messages.into_iter().map(Into::into).collect();
        let failed = publisher
            .bulk_publish(&topic, messages, options.into())
            .await;
        let failure = |(entry_id, error): (String, PubSubError)| wit::BulkFailure {
            entry_id,
            error: error.into(),
        };
        Ok(failed
            .map(|failed| failed.into_iter().map(failure).collect())
            .map_err(Into::into))
    }
}

impl From<wit::Message> for Message {
    fn from(message: wit::Message) -> Self {
        Self {
            data: Bytes::from(message.data),
            content_type: message.content_type,
        }
    }
}

impl From<wit::BulkMessage> for BulkMessage {
    fn from(bulk: wit::BulkMessage) -> Self {
        Self {
            entry_id: bulk.entry_id,
            message: bulk.message.into(),
            metadata: bulk.metadata,
        }
    }
}

impl From<wit::PublishOptions> for PublishOptions {
    fn from(options: wit::PublishOptions) -> Self {
        Self {
            raw: options.raw,
            ttl: options
                .ttl_seconds
                .map(|seconds| Duration::from_secs(seconds.into())),
            partition_key: options.partition_key,
            metadata: options.metadata,
        }
    }
}

impl From<PubSubError> for types::Error {
    fn from(error: PubSubError) -> Self {
        use PubSubError as E;
        match error {
            E::NotConfigured(text) | E::NotFound(text) => Self::NotFound(text),
            E::Denied(text) => Self::Denied(text),
            E::Invalid(text)
            | E::InvalidMetadata(text)
            | E::InvalidEvent(text)
            | E::InvalidEntry(text)
            | E::Unsupported(text) => Self::Invalid(text),
            E::Unavailable(text) => Self::Unavailable(text),
            E::Timeout(text) => Self::Timeout(text),
            E::TooLarge(text) => Self::TooLarge(text),
            E::Other(text) => Self::Other(text),
        }
    }
}
