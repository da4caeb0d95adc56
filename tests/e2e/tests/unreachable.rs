//! Servers that cannot be reached when the host starts: each cause has an error of its own, and no error, log or list
//! tells a password.

mod common;

use anyhow::{Result, ensure};
use berth_servers::{Postgres, RabbitMq, Redis, RedisOptions, free_port};
use common::{Village, becomes};

/// Never to be read anywhere.
const PASSWORD: &str = "hunter2-7f3a";

/// A backend, by what differs between tests: where its server is.
struct Backend {
    name: &'static str,
    kind: &'static str,
    version: &'static str,
    /// The metadata for an address, `host:port`.
    metadata: fn(&str) -> Vec<(&'static str, String)>,
}

const BACKENDS: [Backend; 5] = [
    Backend {
        name: "redis-state",
        kind: "state.redis",
        version: "v1",
        metadata: redis,
    },
    Backend {
        name: "redis-pubsub",
        kind: "pubsub.redis",
        version: "v1",
        metadata: redis,
    },
    Backend {
        name: "postgresql-state",
        kind: "state.postgresql",
        version: "v2",
        metadata: postgresql,
    },
    Backend {
        name: "rabbitmq-pubsub",
        kind: "pubsub.rabbitmq",
        version: "v1",
        metadata: rabbitmq,
    },
    Backend {
        name: "kafka-pubsub",
        kind: "pubsub.kafka",
        version: "v1",
        metadata: kafka,
    },
];

fn redis(address: &str) -> Vec<(&'static str, String)> {
    vec![
        ("redisHost", address.to_owned()),
        ("redisPassword", PASSWORD.to_owned()),
    ]
}

fn postgresql(address: &str) -> Vec<(&'static str, String)> {
    let url = format!("postgres://postgres:{PASSWORD}@{address}/postgres?connect_timeout=2");
    vec![("connectionString", url)]
}

fn rabbitmq(address: &str) -> Vec<(&'static str, String)> {
    let url = format!("amqp://guest:{PASSWORD}@{address}/");
    vec![("connectionString", url)]
}

fn kafka(address: &str) -> Vec<(&'static str, String)> {
    vec![
        ("brokers", address.to_owned()),
        ("authType", "password".to_owned()),
        ("saslUsername", "guest".to_owned()),
        ("saslPassword", PASSWORD.to_owned()),
        ("disableTls", "true".to_owned()),
    ]
}

impl Backend {
    fn document(&self, address: &str, more: &[(&str, &str)], ignore_errors: bool) -> String {
        let Self {
            name,
            kind,
            version,
            metadata,
        } = self;
        let mut document = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec:\n  type: {kind}\n  \
             version: {version}\n  initTimeout: 5s\n  ignoreErrors: {ignore_errors}\n  metadata:\n"
        );
        let own = metadata(address);
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(more.iter().copied()) {
            document.push_str(&format!("    - {{ name: {name}, value: \"{value}\" }}\n"));
        }
        document
    }

    /// What a host says that does not start for want of this backend.
    async fn refused(&self, address: &str, more: &[(&str, &str)]) -> Result<String> {
        let village = Village::new()?;
        village.app("hello", "hello", "[/]", "")?;
        let file = format!("{}.yaml", self.name);
        village
            .folder
            .write(&file, self.document(address, more, false))?;
        let refused = village.host().refused().await?;
        let told = refused.text();
        ensure!(refused.code == Some(1), "{:?}: {told}", refused.code);
        let host = address.split(':').next().unwrap_or_default();
        for part in [file.as_str(), self.name, host] {
            ensure!(told.contains(part), "no `{part}` in: {told}");
        }
        ensure!(!told.contains(PASSWORD), "a password in: {told}");
        Ok(told)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_connections_is_named() -> Result<()> {
    for backend in &BACKENDS {
        let address = format!("127.0.0.1:{}", free_port());
        let told = backend.refused(&address, &[]).await?;
        ensure!(told.to_lowercase().contains("refused"), "{told}");
        ensure!(told.contains(&address), "no port in: {told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_none_is_named() -> Result<()> {
    for backend in &BACKENDS {
        let told = backend.refused("no-such-host.invalid:4242", &[]).await?;
        ensure!(
            told.contains("resolve") || told.contains("lookup"),
            "{told}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_named() -> Result<()> {
    let server = Redis::start(RedisOptions::new()).await;
    for backend in &BACKENDS[..2] {
        let tls = [("enableTLS", "true")];
        let told = backend.refused(&server.address(), &tls).await?;
        ensure!(told.contains("TLS"), "{told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_and_not_told() -> Result<()> {
    let redis = Redis::start(RedisOptions::new().with(&["requirepass", "right"])).await;
    let postgres = Postgres::shared().await;
    let rabbitmq = RabbitMq::shared().await;
    let rabbitmq = RabbitMq::part_of(&rabbitmq, 1);
    let rabbitmq = rabbitmq.split('/').next().unwrap_or_default();
    let addresses = [
        redis.address(),
        redis.address(),
        format!("127.0.0.1:{}", postgres.port),
        rabbitmq.to_owned(),
    ];
    for (backend, address) in BACKENDS.iter().zip(addresses) {
        let told = backend.refused(&address, &[]).await?.to_lowercase();
        ensure!(
            told.contains("password") || told.contains("login") || told.contains("credentials"),
            "{told}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_may_do_without_its_servers_starts_and_finds_them_later() -> Result<()> {
    let mut redis = Redis::start(RedisOptions::new().with(&["requirepass", PASSWORD])).await;
    redis.kill();
    let village = Village::new()?;
    village.app("hello", "hello", "[/]", "")?;
    for backend in &BACKENDS {
        let address = match backend.kind {
            "state.redis" | "pubsub.redis" => redis.address(),
            _ => format!("127.0.0.1:{}", free_port()),
        };
        let document = backend.document(&address, &[], true);
        village
            .folder
            .write(&format!("{}.yaml", backend.name), document)?;
    }
    let host = village.start().await?;
    assert_eq!(host.client().get("/").await?.status, 200);
    for backend in &BACKENDS {
        becomes(&host, backend.name, "failed").await?;
    }
    for form in ["text", "json"] {
        let shown = host.berth(["components", "--output", form])?;
        let shown = shown.run().await?.text();
        ensure!(shown.contains("redis-state"), "not listed: {shown}");
        ensure!(!shown.contains(PASSWORD), "a password in: {shown}");
    }
    redis.restart().await;
    for backend in &BACKENDS[..2] {
        becomes(&host, backend.name, "healthy").await?;
    }
    let said = host.said();
    ensure!(!said.contains(PASSWORD), "a password in: {said}");
    Ok(())
}
