//! A master, a replica, and sentinels that watch them.

use super::{Redis, RedisOptions, ask, start_on_free_port, wait_for};
use crate::Process;
use std::{fs, path::Path};
use tempfile::TempDir;

/// The name that the sentinels give the master.
const MASTER: &str = "mymaster";

/// One master with one replica, and three sentinels of which two must agree.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The master at the start.
    pub master: Redis,
    /// Its replica at the start.
    pub replica: Redis,
    sentinels: Vec<(Process, u16, TempDir)>,
}

impl RedisSentinel {
    /// A replicating set that every sentinel knows.
    pub async fn start() -> Self {
        let quick = RedisOptions::new().with(&["repl-diskless-sync-delay", "0"]);
        let master = Redis::start(quick.clone()).await;
        let port = master.port().to_string();
        let replica = Redis::start(quick.with(&["replicaof", "127.0.0.1", &port])).await;
        wait_for("the replica follows", async || {
            ask(replica.port(), &["INFO", "replication"])
                .await
                .contains("master_link_status:up")
        })
        .await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let directory = tempfile::tempdir().expect("a temporary directory");
            configure(directory.path(), master.port());
            let (process, port) =
                start_on_free_port(directory.path(), &RedisOptions::new(), "redis-sentinel").await;
            sentinels.push((process, port, directory));
        }
        let set = Self {
            master,
            replica,
            sentinels,
        };
        for (_, port, _) in &set.sentinels {
            wait_for("the sentinels know each other", async || {
                let view = ask(*port, &["SENTINEL", "MASTER", MASTER]).await;
                field(&view, "num-slaves") == "1" && field(&view, "num-other-sentinels") == "2"
            })
            .await;
        }
        set
    }

    /// The name of the master.
    #[must_use]
    pub fn name(&self) -> &'static str {
        MASTER
    }

    /// Addresses of the sentinels, as `redisHost` has them.
    #[must_use]
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self
            .sentinels
            .iter()
            .map(|(_, port, _)| format!("127.0.0.1:{port}"))
            .collect();
        addresses.join(",")
    }

    /// Waits until the sentinels name the server at this port.
    pub async fn fails_over_to(&self, port: u16) {
        for (_, sentinel, _) in &self.sentinels {
            wait_for("the sentinels name another master", async || {
                let answer = ask(*sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]).await;
                answer.contains(&format!("\r\n{port}\r\n"))
            })
            .await;
        }
    }
}

fn configure(directory: &Path, master: u16) {
    // Sentinels find a dead master within a second instead of thirty.
    let text = format!(
        "sentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds {MASTER} 1000\n\
         sentinel failover-timeout {MASTER} 5000\n"
    );
    fs::write(directory.join("sentinel.conf"), text).expect("the configuration is written");
}

/// The value that follows a name in a flat list on the wire.
fn field<'a>(answer: &'a str, name: &str) -> &'a str {
    let mut lines = answer.split("\r\n").skip_while(|line| *line != name);
    lines.nth(2).unwrap_or_default()
}
