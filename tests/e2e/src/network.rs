//! A network for hosts: each in a network namespace of its own, on one bridge, with links that can be cut or lose packets.

use anyhow::{Context, Result, bail};
use std::{
    net::Ipv4Addr,
    process::{Command, id},
    sync::atomic::{AtomicU32, Ordering},
};

/// Networks of this process.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Some places for hosts. Taken down when dropped.
#[derive(Debug)]
pub struct Network {
    bridge: String,
    nodes: Vec<Node>,
}

/// A place for a host.
#[derive(Debug, Clone)]
pub struct Node {
    namespace: String,
    /// This side of its link.
    link: String,
    address: Ipv4Addr,
}

impl Network {
    /// A network with so many places.
    ///
    /// # Errors
    /// The kernel does not let this account make one: the text has the line that helps.
    pub fn new(places: u8) -> Result<Self> {
        // Names of links have at most 15 characters.
        let name = format!("bt{}x{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Every process has its own, as good as it can be told without asking the others.
        let (second, third) = ((id() >> 8) as u8 & 63, id() as u8);
        let address = |last| Ipv4Addr::new(10, 64 + second, third, last);
        let mut network = Self {
            bridge: name.clone(),
            nodes: Vec::new(),
        };
        let made = network.build(&name, address, places);
        made.context(
            "tests of networks need root and the programs `ip` and `nft`: \
             sudo apt-get install --no-install-recommends iproute2 nftables, then run them with sudo",
        )?;
        Ok(network)
    }

    fn build(&mut self, name: &str, address: impl Fn(u8) -> Ipv4Addr, places: u8) -> Result<()> {
        ip(&["link", "add", name, "type", "bridge"])?;
        ip(&["addr", "add", &format!("{}/24", address(1)), "dev", name])?;
        ip(&["link", "set", name, "up"])?;
        for place in 0..places {
            let node = Node {
                namespace: format!("{name}-{place}"),
                link: format!("{name}{}", char::from(b'a' + place)),
                address: address(place + 2),
            };
            let Node {
                namespace, link, ..
            } = &node;
            ip(&["netns", "add", namespace])?;
            self.nodes.push(node.clone());
            ip(&[
                "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace,
            ])?;
            ip(&["link", "set", link, "master", name, "up"])?;
            let own = format!("{}/24", node.address);
            node.run("ip", &["addr", "add", &own, "dev", "eth0"])?;
            node.run("ip", &["link", "set", "eth0", "up"])?;
            node.run("ip", &["link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    /// A place.
    #[must_use]
    pub fn node(&self, place: usize) -> &Node {
        &self.nodes[place]
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in &self.nodes {
            let _ = ip(&["netns", "del", &node.namespace]);
        }
        let _ = ip(&["link", "del", &self.bridge]);
    }
}

impl Node {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its network namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Takes its cable out: packets vanish in both directions, and nobody is told.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn cut(&self) -> Result<()> {
        self.lose(100)
    }

    /// Lets every packet through again.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn mend(&self) -> Result<()> {
        self.lose(0)
    }

    /// Loses so many of a hundred packets in each direction.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn lose(&self, percent: u8) -> Result<()> {
        let _ = self.run("nft", &["delete", "table", "inet", "losses"]);
        if percent == 0 {
            return Ok(());
        }
        let text = percent.to_string();
        self.run("nft", &["add", "table", "inet", "losses"])?;
        for hook in ["input", "output"] {
            let chain = format!("{{ type filter hook {hook} priority 0; }}");
            self.run("nft", &["add", "chain", "inet", "losses", hook, &chain])?;
            let rule = ["add", "rule", "inet", "losses", hook];
            let share = ["numgen", "random", "mod", "100", "<", &*text, "drop"];
            let what = if percent < 100 { &share[..] } else { &["drop"] };
            self.run("nft", &[&rule, what].concat())?;
        }
        Ok(())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        ip(&[&["netns", "exec", &self.namespace, program], arguments].concat())
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.context("running ip")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {}", arguments.join(" "), said.trim());
    }
    Ok(())
}
