//! A broker for tests, and short names for what tests do.

use super::super::*;
use crate::scratch::metadata;
use berth_blocks::conformance::pubsub::{join, message};
use berth_servers::{RabbitMq, Shared};

/// A name that no other test uses.
pub(super) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

pub(super) async fn open_with(entries: &[(&str, &str)]) -> RabbitPubSub {
    let metadata = metadata(entries);
    open(&metadata).await.unwrap()
}

/// An open backend and a topic that is only its own.
pub(super) struct World {
    pub(super) pubsub: RabbitPubSub,
    pub(super) topic: String,
    pub(super) shared: Shared<RabbitMq>,
    entries: Vec<(String, String)>,
}

impl World {
    pub(super) async fn with(entries: &[(&str, &str)]) -> Self {
        let shared = RabbitMq::shared().await;
        let mut all = vec![("connectionString", shared.address.as_str())];
        all.extend(entries);
        Self {
            pubsub: open_with(&all).await,
            topic: unique(),
            entries: all
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            shared,
        }
    }

    /// A second backend on the same broker: another host.
    pub(super) async fn another(&self) -> RabbitPubSub {
        let entries = self.entries.iter();
        let entries: Vec<_> = entries
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        open_with(&entries).await
    }

    pub(super) async fn publish(&self, data: &str) {
        self.pubsub
            .publish(message(&self.topic, data))
            .await
            .unwrap();
    }

    pub(super) async fn join_with(&self, group: &str, prefetch: usize) -> Box<dyn Consumer> {
        join(&self.pubsub, &self.topic, group, prefetch).await
    }
}

pub(super) async fn is_silent(consumer: &mut dyn Consumer) -> bool {
    let moment = Duration::from_millis(300);
    tokio::time::timeout(moment, consumer.receive(1))
        .await
        .is_err()
}

/// Threads of this process that drive a connection; each test is a process of its own.
pub(super) fn client_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin-io")).count()
}
