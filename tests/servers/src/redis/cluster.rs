//! A Cluster of three masters.

use super::{Redis, RedisOptions, ask, wait_for};

/// Three masters without replicas, each with a third of the slots.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters.
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    /// A Cluster that serves all slots.
    pub async fn start(options: RedisOptions) -> Self {
        let options = options
            .with(&["cluster-enabled", "yes"])
            .with(&["cluster-node-timeout", "2000"]);
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(start_node(&options).await);
        }
        let bounds = ["0 5460", "5461 10922", "10923 16383"];
        for (node, bounds) in nodes.iter().zip(bounds) {
            let (first, last) = bounds.split_once(' ').expect("two bounds");
            let answer = ask(node.port(), &["CLUSTER", "ADDSLOTSRANGE", first, last]).await;
            assert_eq!(answer, "+OK\r\n");
        }
        let first = nodes[0].port();
        for node in &nodes[1..] {
            let (port, bus) = (node.port().to_string(), bus_port(node).to_string());
            let answer = ask(first, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
            assert_eq!(answer, "+OK\r\n");
        }
        for node in &nodes {
            wait_for("the Cluster is complete", async || {
                let info = ask(node.port(), &["CLUSTER", "INFO"]).await;
                info.contains("cluster_state:ok") && info.contains("cluster_size:3")
            })
            .await;
        }
        Self { nodes }
    }

    /// Addresses as `redisHost` has them.
    #[must_use]
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(Redis::address).collect();
        addresses.join(",")
    }
}

/// The bus has a port of its own: the default, port + 10,000, may not exist.
async fn start_node(options: &RedisOptions) -> Redis {
    let bus = crate::free_port().to_string();
    Redis::start(options.clone().with(&["cluster-port", &bus])).await
}

fn bus_port(node: &Redis) -> u16 {
    let arguments = &node.options.arguments;
    let place = arguments
        .iter()
        .position(|argument| argument == "--cluster-port");
    let port = place.and_then(|place| arguments.get(place + 1));
    port.and_then(|port| port.parse().ok())
        .expect("a bus port is set")
}
