//! `state.postgresql` beside bare tokio-postgres with as many connections, whose callers take turns.

use super::{
    loops,
    stores::{self, Bare},
};
use crate::{host, paths, report::Line, settings::Settings};
use anyhow::{Context, Result};
use berth_servers::Postgres;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio_postgres::{Client, NoTls, Statement};

const CONNECTIONS: usize = 4;
/// What Dapr sends.
const GET: &str = "SELECT value, etag, expires_at FROM state
    WHERE key = $1 AND (expires_at IS NULL OR expires_at >= now())";
const SET: &str = "INSERT INTO state AS t (key, value, etag, expires_at)
    VALUES ($1, $2, gen_random_uuid(), NULL)
    ON CONFLICT (key) DO UPDATE SET value = $2, updated_at = now(), etag = gen_random_uuid(), expires_at = NULL";

pub fn run(settings: &Settings) -> Result<Vec<Line>> {
    let folder = paths::scratch("state_postgresql")?;
    let runtime = loops::runtime()?;
    let server = runtime.block_on(Postgres::start());
    let database = runtime.block_on(server.database());
    let connections = CONNECTIONS.to_string();
    let metadata = [
        ("connectionString", &*database.url()),
        ("maxConns", &connections),
    ];
    let backend = host::backend("statestore", "state.postgresql", "v2", &metadata);
    let host = stores::host(settings, &folder, &backend)?;
    let bare = Arc::new(runtime.block_on(Clients::connect(&database.url()))?);
    stores::compare(settings, &runtime, &host, &bare)
}

struct Connection {
    client: Client,
    get: Statement,
    set: Statement,
}

struct Clients {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

impl Clients {
    async fn connect(url: &str) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            let (get, set) = (client.prepare(GET).await?, client.prepare(SET).await?);
            connections.push(Connection { client, get, set });
        }
        let next = AtomicUsize::new(0);
        Ok(Self { connections, next })
    }

    fn next(&self) -> Result<&Connection> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = self.connections.get(next % CONNECTIONS);
        connection.context("there are connections")
    }
}

impl Bare for Clients {
    const NAME: &'static str = "bare tokio-postgres";

    async fn get(&self, key: &str) -> Result<()> {
        let Connection { client, get, .. } = self.next()?;
        let row = client.query_one(get, &[&key]).await?;
        let _: Vec<u8> = row.try_get(0)?;
        Ok(())
    }

    async fn set(&self, key: &str) -> Result<()> {
        let Connection { client, set, .. } = self.next()?;
        client.execute(set, &[&key, &stores::VALUE]).await?;
        Ok(())
    }
}
