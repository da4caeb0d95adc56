//! Topics as the people who run the host see them: depths, messages at rest, dead letters.

use crate::{
    Blocks,
    backend::Opening,
    delivery::dead_letter,
    pubsub::{OutboundMessage, PubSub, PubSubError, StoredMessage, TopicDepth},
};
use berth_resources::Namespace;
use std::sync::Arc;

/// The topics of one pub/sub backend. No scope applies: this is not for apps.
#[derive(Clone)]
pub struct Topics {
    blocks: Blocks,
    namespace: Namespace,
    pubsub: Box<str>,
}

impl Topics {
    pub(crate) fn new(blocks: Blocks, namespace: Namespace, pubsub: &str) -> Self {
        Self {
            blocks,
            namespace,
            pubsub: pubsub.into(),
        }
    }

    /// What waits, per topic and group.
    ///
    /// # Errors
    /// `NotFound` without such a backend, `Unsupported` if the broker cannot tell.
    pub async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        self.browsable()?.depths().await
    }

    /// Messages at rest, oldest first, after the message `after`.
    ///
    /// # Errors
    /// As [`depths`](Self::depths).
    pub async fn browse(
        &self,
        topic: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        self.browsable()?.browse(topic, after, limit).await
    }

    /// One message at rest.
    ///
    /// # Errors
    /// `NotFound` if there is none with this ID.
    pub async fn read(&self, topic: &str, id: &str) -> Result<StoredMessage, PubSubError> {
        const PAGE: u32 = 200;
        let broker = self.browsable()?;
        let mut after: Option<String> = None;
        loop {
            let page = broker.browse(topic, after.as_deref(), PAGE).await?;
            if let Some(found) = page.iter().find(|message| message.id == id) {
                return Ok(found.clone());
            }
            match page.last() {
                Some(last) => after = Some(last.id.clone()),
                None => {
                    return Err(PubSubError::NotFound(format!(
                        "topic \"{topic}\" of \"{}\" has no message \"{id}\"",
                        self.pubsub
                    )));
                }
            }
        }
    }

    /// Removes a message at rest. `false`: there is none with this ID.
    ///
    /// # Errors
    /// As [`depths`](Self::depths).
    pub async fn remove(&self, topic: &str, id: &str) -> Result<bool, PubSubError> {
        self.browsable()?.remove(topic, id).await
    }

    /// Sends a dead letter to the topic that it came from, then removes it. A failure between the two leaves it in
    /// both: at least once. A broker that removes nothing keeps the letter.
    ///
    /// # Errors
    /// `Invalid` if the message does not say where it came from.
    pub async fn resend(&self, dead_letter_topic: &str, id: &str) -> Result<String, PubSubError> {
        let broker = self.browsable()?;
        let message = self.read(dead_letter_topic, id).await?;
        let origin = dead_letter::original_topic(&message.metadata).ok_or_else(|| {
            PubSubError::Invalid(format!(
                "message \"{id}\" does not say which topic it came from"
            ))
        })?;
        let again = OutboundMessage {
            topic: origin.to_owned(),
            data: message.data,
            content_type: message.content_type.unwrap_or_default(),
            ttl: None,
            partition_key: None,
            metadata: dead_letter::without_marks(&message.metadata),
            retain: None,
        };
        let origin = again.topic.clone();
        broker.publish(again).await?;
        if broker.capabilities().removal {
            broker.remove(dead_letter_topic, id).await?;
        }
        Ok(origin)
    }

    fn browsable(&self) -> Result<Arc<dyn PubSub>, PubSubError> {
        let broker = self.broker()?;
        if broker.capabilities().browse {
            return Ok(broker);
        }
        Err(PubSubError::Unsupported(format!(
            "the broker behind \"{}\" does not show what it stores",
            self.pubsub
        )))
    }

    fn broker(&self) -> Result<Arc<dyn PubSub>, PubSubError> {
        let missing = || {
            PubSubError::NotFound(format!(
                "namespace \"{}\" has no pub/sub backend \"{}\"",
                self.namespace, self.pubsub
            ))
        };
        let backends = self.blocks.snapshot();
        let backend = backends
            .find(&self.namespace, &self.pubsub)
            .ok_or_else(missing)?;
        let opened = match &backend.opening {
            Opening::Failed(reason) => return Err(PubSubError::Unavailable(reason.to_string())),
            Opening::Shared(opened) => Some(opened),
            Opening::PerApp(apps) => apps.values().next(),
        };
        opened
            .and_then(|opened| opened.pubsub.clone())
            .ok_or_else(missing)
    }
}
