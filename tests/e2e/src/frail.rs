//! Servers that a test breaks.

use berth_servers::{MockKafka, Postgres, Proxy, RabbitMq, Redis};
use std::time::Duration;

/// What happens to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL. Recovery starts it again on the same data.
    Killed,
    /// SIGSTOP: connections stay open and nothing answers.
    Frozen,
    /// Connections are closed, and new ones as soon as they are accepted.
    Cut,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Killed, Self::Frozen, Self::Cut];
}

/// A server that has one client.
pub struct Frail(Kind);

enum Kind {
    Redis(Redis, Proxy),
    Postgres(Postgres, Proxy),
    RabbitMq(RabbitMq, Proxy),
    /// The mock lives in this process: killed, it keeps what it has; frozen, it takes long to answer.
    Kafka(MockKafka),
}

/// Longer than any client waits.
const FROZEN: Duration = Duration::from_secs(60);

impl Frail {
    pub(crate) async fn redis(server: Redis) -> Self {
        let proxy = Proxy::before(server.port()).await;
        Self(Kind::Redis(server, proxy))
    }

    pub(crate) async fn postgres(server: Postgres) -> Self {
        let proxy = Proxy::before(server.port()).await;
        Self(Kind::Postgres(server, proxy))
    }

    pub(crate) async fn rabbitmq(server: RabbitMq) -> Self {
        let proxy = Proxy::before(server.port()).await;
        Self(Kind::RabbitMq(server, proxy))
    }

    pub(crate) fn kafka(cluster: MockKafka) -> Self {
        Self(Kind::Kafka(cluster))
    }

    /// Where clients connect to. Kafka's clients ask the cluster.
    pub(crate) fn port(&self) -> u16 {
        match &self.0 {
            Kind::Redis(_, proxy) | Kind::Postgres(_, proxy) | Kind::RabbitMq(_, proxy) => {
                proxy.port()
            }
            Kind::Kafka(_) => 0,
        }
    }

    /// Whether it would find what was declared after it is killed.
    #[must_use]
    pub fn has_saved(&self) -> bool {
        match &self.0 {
            Kind::RabbitMq(server, _) => server.has_saved_declarations(),
            Kind::Redis(..) | Kind::Postgres(..) | Kind::Kafka(_) => true,
        }
    }

    /// Breaks it.
    pub fn fail(&mut self, fault: Fault) {
        match (&mut self.0, fault) {
            (Kind::Redis(server, _), Fault::Killed) => server.kill(),
            (Kind::Redis(server, _), Fault::Frozen) => server.freeze(),
            (Kind::Postgres(server, _), Fault::Killed) => server.kill(),
            (Kind::Postgres(server, _), Fault::Frozen) => server.freeze(),
            (Kind::RabbitMq(server, _), Fault::Killed) => server.kill(),
            (Kind::RabbitMq(server, _), Fault::Frozen) => server.freeze(),
            (Kind::Kafka(cluster), Fault::Frozen) => cluster.slow(FROZEN),
            (Kind::Kafka(cluster), Fault::Killed | Fault::Cut) => cluster.down(),
            (
                Kind::Redis(_, proxy) | Kind::Postgres(_, proxy) | Kind::RabbitMq(_, proxy),
                Fault::Cut,
            ) => proxy.cut(),
        }
    }

    /// Mends it.
    pub async fn recover(&mut self, fault: Fault) {
        match (&mut self.0, fault) {
            (Kind::Redis(server, _), Fault::Killed) => server.restart().await,
            (Kind::Redis(server, _), Fault::Frozen) => server.thaw(),
            (Kind::Postgres(server, _), Fault::Killed) => server.restart().await,
            (Kind::Postgres(server, _), Fault::Frozen) => server.thaw(),
            (Kind::RabbitMq(server, _), Fault::Killed) => server.restart().await,
            (Kind::RabbitMq(server, _), Fault::Frozen) => server.thaw(),
            (Kind::Kafka(cluster), Fault::Frozen) => cluster.slow(Duration::ZERO),
            (Kind::Kafka(cluster), Fault::Killed | Fault::Cut) => cluster.up(),
            (
                Kind::Redis(_, proxy) | Kind::Postgres(_, proxy) | Kind::RabbitMq(_, proxy),
                Fault::Cut,
            ) => proxy.mend(),
        }
    }
}
