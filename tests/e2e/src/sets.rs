//! The sets of `components/`, each with servers of its own.

use crate::{Folder, Frail, Host, HostBuilder, paths};
use anyhow::{Context, Result, bail, ensure};
use berth_servers::{MockKafka, Postgres, PostgresDatabase, RabbitMq, Redis, RedisOptions};
use std::{any::Any, fs, path::Path};

/// A folder below `components/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// SQLite.
    Embedded,
    /// Memory.
    InMemory,
    /// Redis for both.
    Redis,
    /// PostgreSQL, and topics in SQLite.
    Postgresql,
    /// PostgreSQL and RabbitMQ.
    Rabbitmq,
    /// PostgreSQL and Kafka, of which the client's own mock stands in.
    Kafka,
}

/// The shop on a set, and the servers that live as long.
pub struct Shop {
    // Dropped before its documents and servers.
    host: Host,
    _folder: Option<Folder>,
    _ground: Ground,
}

impl Shop {
    /// The host that runs it.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The same, to kill it and start it again.
    pub fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }
}

/// Hosts that run the shop on the servers of one set, and these servers.
pub struct Fleet {
    /// Each has data and ports of its own.
    // Dropped before their servers.
    pub hosts: Vec<Host>,
    _ground: Ground,
}

/// What hosts stand on.
struct Ground {
    documents: Folder,
    _servers: Servers,
}

impl Ground {
    fn host(&self) -> Result<HostBuilder> {
        Ok(self.host_of(&paths::shop()?))
    }

    fn host_of(&self, shop: &Path) -> HostBuilder {
        let host = Host::builder().source(shop);
        host.arg("--resources-path").arg(self.documents.path())
    }
}

/// A copy of the shop that gives up on no message: an outage may outlast any number of attempts, after which the shop
/// sends messages to their dead-letter topic.
fn patient_shop() -> Result<Folder> {
    let (shop, copy) = (paths::shop()?, Folder::new()?);
    for folder in ["", "apps"] {
        for entry in fs::read_dir(shop.join(folder))? {
            let path = entry?.path();
            if path.is_file() {
                let name = Path::new(folder).join(name_of(&path));
                copy.copy(&path, &name.to_string_lossy())?;
            }
        }
    }
    let policies = fs::read_to_string(shop.join("resiliency.yaml"))?;
    let patient = policies.replace("maxRetries: 3", "maxRetries: -1");
    ensure!(
        patient != policies,
        "resiliency.yaml has no `maxRetries: 3`"
    );
    copy.write("resiliency.yaml", patient)?;
    Ok(copy)
}

impl Set {
    /// Runs the shop on the documents of the set, in which the addresses of the usual servers and their credentials are
    /// replaced by those of private ones, and nothing else. Tests that run at the same time have different numbers.
    ///
    /// # Errors
    /// As [`crate::HostBuilder::start`].
    pub async fn shop(self, number: usize) -> Result<Shop> {
        let ground = self.ground(Servers::start(self, number).await)?;
        Ok(Shop {
            host: ground.host()?.start().await?,
            _folder: None,
            _ground: ground,
        })
    }

    /// Messages of the shop that may wait at the broker without loss; `None`: any number. The mock of Kafka forgets the
    /// oldest of a partition that holds 5 MiB, which may be all of them, of about 700 bytes each.
    #[must_use]
    pub fn backlog_max(self) -> Option<u64> {
        (self == Self::Kafka).then_some(5_000)
    }

    /// Runs so many hosts on the same servers, which take over soon what a killed one held. Native programs are the app
    /// `order-service`.
    ///
    /// # Errors
    /// As [`crate::HostBuilder::start`].
    pub async fn fleet(self, number: usize, hosts: usize) -> Result<Fleet> {
        let mut servers = Servers::start(self, number).await;
        if self == Self::Redis {
            let metadata = "type: pubsub.redis\n  version: v1\n  metadata:\n";
            let hasty = "    - name: processingTimeout\n      value: 2s\n    - name: redeliverInterval\n      value: 500ms\n";
            servers.replace(metadata, format!("{metadata}{hasty}"));
        }
        let ground = self.ground(servers)?;
        let mut fleet = Vec::new();
        for _ in 0..hosts {
            let host = ground.host()?.arg("--app-id").arg("order-service");
            fleet.push(host.start().await?);
        }
        Ok(Fleet {
            hosts: fleet,
            _ground: ground,
        })
    }

    /// Runs the shop on a server of this set that nobody else uses, in order to break it: for sets of two servers, the
    /// broker.
    ///
    /// # Errors
    /// As [`crate::HostBuilder::start`].
    pub async fn frail_shop(self) -> Result<(Shop, Frail)> {
        let mut servers = Servers::default();
        let frail = match self {
            Self::Embedded | Self::InMemory => bail!("{self:?} has no server"),
            Self::Redis => servers.frail_redis().await,
            Self::Postgresql => servers.frail_postgresql().await,
            Self::Rabbitmq => {
                servers.postgresql().await;
                servers.frail_rabbitmq().await
            }
            Self::Kafka => {
                let frail = servers.frail_kafka();
                servers.postgresql().await;
                frail
            }
        };
        let (ground, shop) = (self.ground(servers)?, patient_shop()?);
        let shop = Shop {
            host: ground.host_of(shop.path()).start().await?,
            _folder: Some(shop),
            _ground: ground,
        };
        Ok((shop, frail))
    }

    fn ground(self, servers: Servers) -> Result<Ground> {
        Ok(Ground {
            documents: self.documents(&servers.replacements)?,
            _servers: servers,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::InMemory => "in-memory",
            Self::Redis => "redis",
            Self::Postgresql => "postgresql",
            Self::Rabbitmq => "rabbitmq",
            Self::Kafka => "kafka",
        }
    }

    /// A copy of the set.
    fn documents(self, replacements: &[Replacement]) -> Result<Folder> {
        let set = paths::repository().join("components").join(self.name());
        let copy = Folder::new()?;
        let secrets = Replacement {
            usual: format!("components/{}/secrets.json", self.name()),
            private: copy.path().join("secrets.json").display().to_string(),
        };
        let mut found = vec![0; replacements.len()];
        for entry in fs::read_dir(&set).with_context(|| format!("reading {}", set.display()))? {
            let path = entry?.path();
            let mut text = fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?
                .replace(&secrets.usual, &secrets.private);
            for (Replacement { usual, private }, found) in replacements.iter().zip(&mut found) {
                *found += text.matches(usual.as_str()).count();
                text = text.replace(usual.as_str(), private);
            }
            copy.write(name_of(&path), text)?;
        }
        for (Replacement { usual, .. }, found) in replacements.iter().zip(found) {
            ensure!(found > 0, "{} does not say `{usual}`", set.display());
        }
        Ok(copy)
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("unnamed")
}

/// What the documents say of a usual server, and what a private one needs.
struct Replacement {
    usual: String,
    private: String,
}

/// Private servers.
#[derive(Default)]
struct Servers {
    replacements: Vec<Replacement>,
    running: Vec<Box<dyn Any>>,
}

impl Servers {
    async fn start(set: Set, number: usize) -> Self {
        let mut servers = Self::default();
        match set {
            Set::Embedded | Set::InMemory => {}
            Set::Redis => servers.redis().await,
            Set::Postgresql => servers.postgresql().await,
            Set::Rabbitmq => {
                servers.postgresql().await;
                servers.rabbitmq(number).await;
            }
            Set::Kafka => {
                servers.kafka();
                servers.postgresql().await;
            }
        }
        servers
    }

    fn replace(&mut self, usual: &str, private: String) {
        self.replacements.push(Replacement {
            usual: usual.to_owned(),
            private,
        });
    }

    async fn redis(&mut self) {
        let redis = Redis::start(RedisOptions::new()).await;
        self.redis_at(redis.port());
        self.running.push(Box::new(redis));
    }

    async fn frail_redis(&mut self) -> Frail {
        let redis = Redis::start(RedisOptions::new().durable()).await;
        let frail = Frail::redis(redis).await;
        self.redis_at(frail.port());
        frail
    }

    fn redis_at(&mut self, port: u16) {
        self.replace("localhost:6379", format!("127.0.0.1:{port}"));
    }

    async fn postgresql(&mut self) {
        let database = Postgres::shared().await;
        self.postgresql_at(database.port, &database);
        self.running.push(Box::new(database));
    }

    async fn frail_postgresql(&mut self) -> Frail {
        let server = Postgres::start().await;
        let database = server.database().await;
        let frail = Frail::postgres(server).await;
        self.postgresql_at(frail.port(), &database);
        self.running.push(Box::new(database));
        frail
    }

    fn postgresql_at(&mut self, port: u16, database: &PostgresDatabase) {
        self.replace("value: localhost", "value: 127.0.0.1".to_owned());
        self.replace("value: 5432", format!("value: {port}"));
        self.replace(
            "name: database\n      value: postgres",
            format!("name: database\n      value: {}", database.name),
        );
        self.replace(
            "\"postgresql-password\": \"postgres\"",
            format!(
                "\"postgresql-password\": \"{}\"",
                PostgresDatabase::PASSWORD
            ),
        );
    }

    /// A part of the shared broker: the shops of several tests have the same topics.
    async fn rabbitmq(&mut self, number: usize) {
        let broker = RabbitMq::shared().await;
        self.replace("localhost:5672", RabbitMq::part_of(&broker, number));
        self.running.push(Box::new(broker));
    }

    async fn frail_rabbitmq(&mut self) -> Frail {
        let frail = Frail::rabbitmq(RabbitMq::start().await).await;
        self.replace("localhost:5672", format!("127.0.0.1:{}", frail.port()));
        frail
    }

    fn kafka(&mut self) {
        let cluster = MockKafka::start(1);
        self.replace("localhost:9092", cluster.brokers());
        self.running.push(Box::new(cluster));
    }

    fn frail_kafka(&mut self) -> Frail {
        let cluster = MockKafka::start(1);
        self.replace("localhost:9092", cluster.brokers());
        Frail::kafka(cluster)
    }
}
