//! Which backends the shop runs on.

use super::servers::Kind;
use clap::ValueEnum;

/// A folder below `components/`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Set {
    /// SQLite, nothing else to run.
    #[default]
    Embedded,
    /// Memory.
    InMemory,
    /// Redis for state and topics.
    Redis,
    /// PostgreSQL for state, topics in SQLite.
    Postgresql,
    /// PostgreSQL for state, RabbitMQ for topics.
    Rabbitmq,
    /// PostgreSQL for state, Kafka for topics.
    Kafka,
}

impl Set {
    /// Its folder.
    pub fn folder(self) -> String {
        let name = self.to_possible_value();
        let name = name.map(|name| name.get_name().to_owned());
        format!("components/{}", name.unwrap_or_default())
    }

    /// The servers that its documents name.
    pub fn servers(self) -> &'static [Kind] {
        match self {
            Self::Embedded | Self::InMemory => &[],
            Self::Redis => &[Kind::Redis],
            Self::Postgresql => &[Kind::Postgresql],
            Self::Rabbitmq => &[Kind::Postgresql, Kind::Rabbitmq],
            Self::Kafka => &[Kind::Kafka, Kind::Postgresql],
        }
    }
}
