//! `pubsub.rabbitmq` beside bare lapin: persistent messages, each confirmed by the broker; each acknowledged when it was
//! received.

use super::{
    loops,
    topics::{self, Bare, Budgets, EVENT, PREFETCH},
};
use crate::{host, paths, report::Line, settings::Settings};
use anyhow::{Context, Result};
use berth_servers::RabbitMq;
use futures::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions,
        BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use std::sync::Arc;

const BUDGETS: Budgets = Budgets {
    publish: 0.7,
    handle: 0.7,
};
/// A queue that nobody reads holds at most so many messages.
const KEPT: u32 = 100_000;
const PERSISTENT: u8 = 2;

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("pubsub_rabbitmq")?;
    let runtime = loops::runtime()?;
    let server = runtime.block_on(RabbitMq::start());
    let url = server.url();
    let prefetch = PREFETCH.to_string();
    let metadata = [("connectionString", &*url), ("prefetchCount", &prefetch)];
    let backend = host::backend("pubsub", "pubsub.rabbitmq", "v1", &metadata);
    let host = topics::host(settings, &folder, &backend)?;
    let bare = Arc::new(runtime.block_on(Client::connect(&url))?);
    topics::compare(settings, &runtime, &host, &bare, &BUDGETS)
}

struct Client {
    _connection: Connection,
    publishes: Channel,
    consumes: Channel,
}

impl Client {
    async fn connect(url: &str) -> Result<Self> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let publishes = connection.create_channel().await?;
        publishes
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let consumes = connection.create_channel().await?;
        consumes
            .basic_qos(PREFETCH, BasicQosOptions::default())
            .await?;
        Ok(Self {
            _connection: connection,
            publishes,
            consumes,
        })
    }
}

impl Bare for Client {
    const NAME: &'static str = "bare lapin";

    async fn prepare(&self, topic: &str) -> Result<()> {
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let channel = &self.consumes;
        let none = FieldTable::default;
        channel
            .exchange_declare(topic.into(), ExchangeKind::Fanout, durable, none())
            .await?;
        let durable = QueueDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let mut bounds = none();
        bounds.insert("x-max-length".into(), AMQPValue::LongUInt(KEPT));
        channel.queue_declare(topic.into(), durable, bounds).await?;
        let (queue, exchange) = (topic.into(), topic.into());
        let bind = channel.queue_bind(
            queue,
            exchange,
            "".into(),
            QueueBindOptions::default(),
            none(),
        );
        Ok(bind.await?)
    }

    async fn publish(&self, topic: &str) -> Result<()> {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions::default();
        let publish = self.publishes.basic_publish(
            topic.into(),
            "".into(),
            options,
            EVENT.as_bytes(),
            properties,
        );
        publish.await?.await?;
        Ok(())
    }

    async fn consume(&self, topic: &str, messages: u32) -> Result<()> {
        let options = BasicConsumeOptions::default();
        let consume =
            self.consumes
                .basic_consume(topic.into(), "".into(), options, FieldTable::default());
        let mut consumer = consume.await?;
        for _ in 0..messages {
            let delivery = consumer.next().await.context("the consumer was ended")??;
            delivery.ack(BasicAckOptions::default()).await?;
        }
        let tag = consumer.tag();
        self.consumes
            .basic_cancel(tag, BasicCancelOptions::default())
            .await?;
        Ok(())
    }
}
