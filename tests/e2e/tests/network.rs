//! Three hosts on a network that fails: calls succeed on what is left, nothing is executed twice without a policy that
//! allows it, and the error at the end says which hosts were tried and why each failed.

use anyhow::{Context, Result, ensure};
use berth_e2e::{Answer, Folder, Host, Network, Node, berth, eventually, order, shop, timely};
use serde_json::json;
use std::time::Duration;

const STOCK: u64 = 1_000_000;

/// What allows a call to be sent again: any attempt may take a second.
const POLICY: &str = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: { name: fleet }\nspec:\n  policies:\n    \
    timeouts: { short: 1s }\n    retries: { often: { policy: constant, duration: 50ms, maxRetries: 5 } }\n  \
    targets: { apps: { inventory-service: { timeout: short, retry: often } } }\n";

/// The shop on three hosts: orders on the first, stock on the others.
struct Fleet {
    network: Network,
    user: Folder,
    folders: Vec<Folder>,
    orders: Host,
    stock: Vec<Host>,
    next: u64,
}

impl Fleet {
    async fn start(policy: Option<&str>) -> Result<Self> {
        let network = Network::new(4)?;
        let user = Folder::new()?;
        let first = folder(
            "order-service",
            &[
                "secretstore.yaml",
                "secrets.json",
                "apps/order-service.yaml",
            ],
        )?;
        if let Some(policy) = policy {
            first.write("policy.yaml", policy)?;
        }
        let orders = host(&first, network.node(0), &user).await?;
        let mut fleet = Self {
            network,
            user,
            folders: vec![first],
            orders,
            stock: Vec::new(),
            next: 0,
        };
        for place in [1, 2] {
            fleet.add_stock(place).await?;
        }
        fleet.places_orders("the fleet is complete").await?;
        Ok(fleet)
    }

    async fn add_stock(&mut self, place: usize) -> Result<()> {
        let folder = folder("inventory-service", &["apps/inventory-service.yaml"])?;
        let host = host(&folder, self.network.node(place), &self.user).await?;
        let answer = host
            .client()
            .put("/inventory/tea", &json!({ "qty": STOCK }))
            .await?;
        ensure!(answer.status == 200, "{answer}");
        self.folders.push(folder);
        self.stock.push(host);
        Ok(())
    }

    async fn order(&mut self) -> Result<Answer> {
        self.next += 1;
        let order = order(&format!("o{}", self.next), "ada", "tea", 1);
        self.orders.client().post("/orders", &order).await
    }

    /// Waits until one order goes through.
    async fn places_orders(&mut self, what: &str) -> Result<()> {
        eventually(what, timely(), async || {
            let answer = self.order().await.map_err(|error| format!("{error:#}"))?;
            (answer.status == 201)
                .then_some(())
                .ok_or(answer.to_string())
        })
        .await
    }

    /// Every one of these orders goes through.
    async fn every_order_goes_through(&mut self, orders: usize, when: &str) -> Result<()> {
        for number in 0..orders {
            let answer = self.order().await?;
            ensure!(answer.status == 201, "{when}, order {number}: {answer}");
        }
        Ok(())
    }

    /// What was taken out of the stock of all hosts.
    async fn sold(&self) -> Result<u64> {
        let mut sold = 0;
        for host in &self.stock {
            let left = host.client().get("/inventory/tea").await?.json();
            sold += STOCK - left["qty"].as_u64().context("a number")?;
        }
        Ok(sold)
    }
}

fn folder(app: &str, files: &[&str]) -> Result<Folder> {
    let folder = Folder::new()?;
    let shop = shop()?;
    folder.copy_all(&shop, files)?;
    let guest = format!("apps/{app}.wasm");
    folder.copy(&shop.join(&guest), &guest)?;
    Ok(folder)
}

async fn host(folder: &Folder, node: &Node, user: &Folder) -> Result<Host> {
    let host = Host::builder().source(folder.path()).at(node);
    host.arg("--user-dir").arg(user.path()).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_policy_every_call_succeeds_on_what_is_left() -> Result<()> {
    let mut fleet = Fleet::start(Some(POLICY)).await?;
    fleet.every_order_goes_through(20, "all is well").await?;

    fleet.network.node(1).cut()?;
    fleet.every_order_goes_through(20, "a link is cut").await?;
    fleet.network.node(1).mend()?;

    fleet.network.node(2).lose(30)?;
    fleet
        .every_order_goes_through(20, "30 % of packets are lost")
        .await?;
    fleet.network.node(2).mend()?;

    fleet.stock[0].kill9().await?;
    fleet
        .every_order_goes_through(20, "a host is killed")
        .await?;
    fleet.stock[0].restart().await?;

    fleet.stock[1].freeze()?;
    fleet.every_order_goes_through(20, "a host hangs").await?;
    fleet.stock[1].thaw()?;

    // It comes back at another address.
    fleet.stock[0].kill9().await?;
    fleet.add_stock(3).await?;
    fleet.stock[1].kill9().await?;
    fleet
        .every_order_goes_through(20, "one host is left, at a new address")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_nothing_is_executed_twice() -> Result<()> {
    // Not even the default's retries.
    let mut fleet = Fleet::start(None).await?;
    let before = fleet.sold().await?;
    let mut taken = 0;
    for round in 0..60 {
        match round {
            10 => fleet.network.node(1).lose(30)?,
            20 => fleet.network.node(1).mend()?,
            30 => fleet.stock[0].freeze()?,
            33 => fleet.stock[0].thaw()?,
            _ => {}
        }
        let answer = fleet.order().await?;
        ensure!(
            matches!(answer.status, 201 | 503 | 504),
            "order {round}: {answer}"
        );
        taken += u64::from(answer.status == 201);
    }
    // Each order was reserved at most once, those that were answered exactly once; one whose answer was lost may be.
    eventually("what was sent has arrived", timely(), async || {
        let sold = fleet.sold().await.map_err(|error| format!("{error:#}"))? - before;
        let fits = (taken..=60).contains(&sold);
        fits.then_some(())
            .ok_or(format!("{taken} taken, {sold} sold"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_at_the_end_names_the_hosts_and_what_each_did() -> Result<()> {
    let mut fleet = Fleet::start(Some(POLICY)).await?;
    let addresses = [
        fleet.stock[0].mesh_address()?,
        fleet.stock[1].mesh_address()?,
    ];
    for host in &mut fleet.stock {
        host.kill9().await?;
    }
    let answer = fleet.order().await?;
    ensure!(answer.status == 503, "{answer}");
    for address in &addresses {
        ensure!(answer.text().contains(address), "no {address}: {answer}");
    }
    ensure!(answer.text().contains("connection refused"), "{answer}");
    fleet.add_stock(3).await?;
    fleet.places_orders("another host is found").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_certificate_has_expired_is_not_believed() -> Result<()> {
    const LIFE: Duration = Duration::from_secs(4);
    let network = Network::new(2)?;
    let (user, tls) = (Folder::new()?, Folder::new()?);
    let issue = async |app: &str, life: &str| -> Result<()> {
        let folder = tls.path().join(app);
        let folder = folder.to_str().context("a path of UTF-8")?.to_owned();
        let issued = berth(["ca", "issue", app, &folder, "--valid-for", life])?
            .arg("--user-dir")
            .arg(user.path())
            .run()
            .await?;
        ensure!(issued.code == Some(0), "{issued}");
        Ok(())
    };
    issue("order-service", "1h").await?;
    let life = format!("{}s", LIFE.as_secs());
    issue("inventory-service", &life).await?;
    let orders = folder(
        "order-service",
        &[
            "secretstore.yaml",
            "secrets.json",
            "apps/order-service.yaml",
        ],
    )?;
    let stock = folder("inventory-service", &["apps/inventory-service.yaml"])?;
    let start = async |folder: &Folder, node: &Node| -> Result<Host> {
        Host::builder()
            .source(folder.path())
            .at(node)
            .arg("--user-dir")
            .arg(user.path())
            .arg("--certificates")
            .arg(tls.path())
            .start()
            .await
    };
    let stock = start(&stock, network.node(1)).await?;
    stock
        .client()
        .put("/inventory/tea", &json!({ "qty": STOCK }))
        .await?;
    let orders = start(&orders, network.node(0)).await?;
    let mut number = 0;
    let mut place = async || {
        number += 1;
        let order = order(&format!("o{number}"), "ada", "tea", 1);
        orders.client().post("/orders", &order).await
    };
    eventually("it is not believed any more", timely(), async || {
        let answer = place().await.map_err(|error| format!("{error:#}"))?;
        (answer.status == 503 && answer.text().contains("expired"))
            .then_some(())
            .ok_or(answer.to_string())
    })
    .await?;
    // A new one is looked for by itself.
    issue("inventory-service", "1h").await?;
    eventually("the new one is believed", timely(), async || {
        let answer = place().await.map_err(|error| format!("{error:#}"))?;
        (answer.status == 201)
            .then_some(())
            .ok_or(answer.to_string())
    })
    .await
}
