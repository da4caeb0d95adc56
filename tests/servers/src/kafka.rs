//! librdkafka's mock of Kafka: brokers in this process, on ports of their own. They have groups, offsets and idempotent
//! producers, create topics (of four partitions) when they are asked for, and can be taken down. They forget everything
//! with the process, and of a partition all but the last 5 MiB; they know neither TLS nor passwords.
#![allow(
    unsafe_code,
    reason = "the client has no call for how long a new group waits for members, which is three seconds per test"
)]

use rdkafka::{
    ClientConfig,
    bindings::{rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms},
    mocking::MockCluster,
    producer::{DefaultProducerContext, Producer, ThreadedProducer},
};
use std::time::Duration;

/// A mock cluster. Gone when dropped.
pub struct MockKafka {
    /// The client that holds the cluster.
    holder: ThreadedProducer<DefaultProducerContext>,
}

impl MockKafka {
    /// Starts so many brokers.
    #[must_use]
    pub fn start(brokers: u32) -> Self {
        let holder: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("test.mock.num.brokers", brokers.to_string())
            .create()
            .expect("a mock cluster");
        // SAFETY: the cluster belongs to the client that was just made and lives as long; the call sets a number under
        // the cluster's lock.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(holder.client().native_ptr());
            assert!(!cluster.is_null(), "the client has a mock cluster");
            rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 100);
        }
        Self { holder }
    }

    /// Addresses, as in `brokers`.
    #[must_use]
    pub fn brokers(&self) -> String {
        self.cluster().bootstrap_servers()
    }

    /// All that the client's crate can do with it.
    #[must_use]
    pub fn cluster(&self) -> MockCluster<'_, DefaultProducerContext> {
        let cluster = self.holder.client().mock_cluster();
        cluster.expect("the client has a mock cluster")
    }

    /// Creates a topic with so many partitions.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let created = self.cluster().create_topic(name, partitions, 1);
        created.expect("a topic is created");
    }

    /// Cuts all connections and refuses new ones.
    pub fn down(&self) {
        self.cluster().broker_down(-1).expect("brokers go down");
    }

    /// Accepts connections again.
    pub fn up(&self) {
        self.cluster().broker_up(-1).expect("brokers come up");
    }

    /// Lets every answer take this long.
    pub fn slow(&self, delay: Duration) {
        let slowed = self.cluster().broker_round_trip_time(-1, delay);
        slowed.expect("brokers get slow");
    }
}
