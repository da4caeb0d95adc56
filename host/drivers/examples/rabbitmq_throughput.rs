//! What `pubsub.rabbitmq` costs beside bare lapin on the same broker: confirmed messages per second from many
//! publishers, and messages received and acknowledged per second.
//!
//! `cargo run --release -p berth-drivers --example rabbitmq_throughput [URL]`; without a URL it starts a broker.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use berth_blocks::{
    pubsub::{OutboundMessage, PubSub, SubscribeRequest},
    registry::{Connections, Metadata, OpenContext},
};
use berth_servers::RabbitMq;
use bytes::Bytes;
use futures::{StreamExt, future::join_all};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions,
    },
    types::FieldTable,
};
use std::{sync::Arc, time::Instant};

const MESSAGES: usize = 20_000;
const PUBLISHERS: usize = 64;
const PREFETCH: u16 = 64;
const VALUE: &[u8] = &[b'x'; 256];
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let (url, _own) = match std::env::args().nth(1) {
        Some(url) => (url, None),
        None => {
            let own = RabbitMq::start().await;
            (own.url(), Some(own))
        }
    };
    let pubsub = open(&url).await;
    println!(
        "{MESSAGES} persistent messages of {} bytes, {PUBLISHERS} publishers, prefetch {PREFETCH}\n",
        VALUE.len()
    );
    // Both by turns on the same queue, since a broker warms up.
    for _ in 0..ROUNDS {
        let topic = uuid::Uuid::new_v4().to_string();
        drop(join(&*pubsub, &topic).await);
        let bare = bare_publish(&url, &topic).await;
        report("lapin, publish and confirm", bare, bare);
        let rate = publish(&pubsub, &topic).await;
        report("pubsub.rabbitmq, publish", rate, bare);
        let bare = bare_consume(&url, &topic).await;
        report("lapin, receive and ack", bare, bare);
        let rate = consume(&*pubsub, &topic).await;
        report("pubsub.rabbitmq, receive and ack", rate, bare);
    }
}

fn report(what: &str, rate: f64, bare: f64) {
    println!("{what:<36} {rate:>8.0}/s  {:.2}", rate / bare);
}

async fn open(url: &str) -> Arc<dyn PubSub> {
    let context = OpenContext {
        name: "pubsub".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: std::env::temp_dir(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let metadata: Metadata = [("connectionString".to_owned(), url.into())]
        .into_iter()
        .collect();
    let registry = berth_drivers::registry();
    let driver = registry.driver("pubsub.rabbitmq").unwrap();
    let opened = (driver.open)(context, metadata).await.unwrap();
    opened.pubsub.unwrap()
}

async fn join(pubsub: &dyn PubSub, topic: &str) -> Box<dyn berth_blocks::pubsub::Consumer> {
    let request = SubscribeRequest {
        topic: topic.to_owned(),
        group: "app".to_owned(),
        prefetch: PREFETCH.into(),
        metadata: Vec::new(),
    };
    pubsub.subscribe(request).await.unwrap()
}

async fn bare_channel(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Runs `MESSAGES` calls from `PUBLISHERS` tasks.
async fn timed<F>(call: impl Fn() -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let began = Instant::now();
    let publishers = (0..PUBLISHERS).map(|_| {
        let call = call.clone();
        tokio::spawn(async move {
            for _ in 0..MESSAGES / PUBLISHERS {
                call().await;
            }
        })
    });
    join_all(publishers).await;
    (MESSAGES / PUBLISHERS * PUBLISHERS) as f64 / began.elapsed().as_secs_f64()
}

async fn bare_publish(url: &str, topic: &str) -> f64 {
    let (_connection, channel) = bare_channel(url).await;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let topic = topic.to_owned();
    timed(move || {
        let (channel, topic) = (channel.clone(), topic.clone());
        async move {
            let options = BasicPublishOptions::default();
            let properties = BasicProperties::default().with_delivery_mode(2);
            let publish =
                channel.basic_publish(topic.into(), "".into(), options, VALUE, properties);
            publish.await.unwrap().await.unwrap();
        }
    })
    .await
}

async fn publish(pubsub: &Arc<dyn PubSub>, topic: &str) -> f64 {
    let (pubsub, topic) = (pubsub.clone(), topic.to_owned());
    timed(move || {
        let (pubsub, topic) = (pubsub.clone(), topic.clone());
        async move {
            let message = OutboundMessage {
                topic,
                data: Bytes::from_static(VALUE),
                content_type: "text/plain".to_owned(),
                ttl: None,
                partition_key: None,
                metadata: Vec::new(),
                retain: None,
            };
            pubsub.publish(message).await.unwrap();
        }
    })
    .await
}

async fn bare_consume(url: &str, topic: &str) -> f64 {
    let (_connection, channel) = bare_channel(url).await;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await
        .unwrap();
    let queue = format!("app-{topic}").into();
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue, "".into(), options, FieldTable::default());
    let mut consumer = consumer.await.unwrap();
    let began = Instant::now();
    for _ in 0..MESSAGES / 2 {
        let delivery = consumer.next().await.unwrap().unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    (MESSAGES / 2) as f64 / began.elapsed().as_secs_f64()
}

async fn consume(pubsub: &dyn PubSub, topic: &str) -> f64 {
    let mut consumer = join(pubsub, topic).await;
    let began = Instant::now();
    let mut count = 0;
    while count < MESSAGES / 2 {
        for message in consumer.receive(PREFETCH.into()).await.unwrap() {
            message.lease.acknowledge().await.unwrap();
            count += 1;
        }
    }
    count as f64 / began.elapsed().as_secs_f64()
}
