//! The example shop, and a load of orders that does not give up.

use crate::{Answer, Client, Host, paths};
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Pause before an order is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// An order that is refused for this long fails the test.
const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of the shop, with its guests built.
///
/// # Errors
/// They are not built; the text has the line that builds them.
pub fn shop() -> Result<PathBuf> {
    paths::shop()
}

/// The shop on embedded backends.
///
/// # Errors
/// As [`crate::HostBuilder::start`].
pub async fn start_shop() -> Result<Host> {
    Host::run(paths::shop()?).await
}

/// An order of one SKU.
#[must_use]
pub fn order(id: &str, customer: &str, sku: &str, qty: u64) -> Value {
    json!({
        "orderId": id,
        "customerId": customer,
        "items": [{ "sku": sku, "qty": qty }],
        "totalCents": 100 * qty,
    })
}

/// Orders `{prefix}-0` to `{prefix}-{orders - 1}`, spread over SKUs: one alone would make every order wait for the one
/// before it.
#[derive(Debug, Clone)]
pub struct Load {
    /// Begins every order ID and SKU.
    pub prefix: &'static str,
    /// How many orders.
    pub orders: u64,
    /// How many SKUs.
    pub skus: u64,
    /// Orders under way at the same time.
    pub concurrency: usize,
}

/// What the load has done.
#[derive(Debug, Default)]
pub struct Tally {
    acknowledged: AtomicU64,
    repeated: AtomicU64,
}

impl Tally {
    /// Orders that were answered with 201.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Attempts that were not.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Stock of every SKU before the first order.
    pub const STOCK: u64 = 1_000_000;

    /// The ID of an order.
    #[must_use]
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.prefix)
    }

    fn sku(&self, number: u64) -> String {
        format!("{}-sku-{}", self.prefix, number % self.skus)
    }

    fn qty(number: u64) -> u64 {
        1 + number % 3
    }

    /// Fills the stock.
    ///
    /// # Errors
    /// The shop refuses.
    pub async fn stock_up(&self, shop: &Client) -> Result<()> {
        for number in 0..self.skus {
            let path = format!("/inventory/{}", self.sku(number));
            let answer = shop.put(&path, &json!({ "qty": Self::STOCK })).await?;
            ensure!(answer.status == 200, "PUT {path}: {answer}");
        }
        Ok(())
    }

    /// Places every order, each again and again until it is acknowledged.
    ///
    /// # Errors
    /// An order is refused for good.
    pub async fn place(&self, shop: &Client, tally: &Arc<Tally>) -> Result<()> {
        self.place_some(0..self.orders, shop, tally).await
    }

    /// Places some of the orders, each again and again until it is acknowledged.
    ///
    /// # Errors
    /// An order is refused for good.
    pub async fn place_some(
        &self,
        numbers: Range<u64>,
        shop: &Client,
        tally: &Arc<Tally>,
    ) -> Result<()> {
        stream::iter(numbers)
            .map(|number| self.place_one(shop, number, tally))
            .buffer_unordered(self.concurrency)
            .try_collect()
            .await
    }

    async fn place_one(&self, shop: &Client, number: u64, tally: &Tally) -> Result<()> {
        let (id, begun) = (self.id(number), Instant::now());
        let order = order(&id, "ada", &self.sku(number), Self::qty(number));
        loop {
            let seen = match shop.post("/orders", &order).await {
                Ok(answer) if answer.status == 201 => break,
                Ok(answer) => {
                    ensure!(answer.status >= 500, "order {id} was refused: {answer}");
                    answer.to_string()
                }
                Err(error) => format!("{error:#}"),
            };
            ensure!(
                begun.elapsed() < PATIENCE,
                "order {id} is not acknowledged: {seen}"
            );
            tally.repeated.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        tally.acknowledged.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Checks that every order is stored as it was placed, that every customer was told once, and that the stock adds up.
    ///
    /// # Errors
    /// One of that does not hold; the text says what is instead.
    pub async fn verify(&self, shop: &Client) -> Result<()> {
        self.for_each(|number| self.verify_stored(shop, number))
            .await?;
        self.for_each(|number| self.verify_notified(shop, number))
            .await?;
        self.verify_stock(shop).await
    }

    async fn for_each<F: Future<Output = Result<()>>>(
        &self,
        check: impl Fn(u64) -> F,
    ) -> Result<()> {
        let checks = stream::iter(0..self.orders).map(check);
        checks
            .buffer_unordered(self.concurrency)
            .try_collect()
            .await
    }

    async fn verify_stored(&self, shop: &Client, number: u64) -> Result<()> {
        let id = self.id(number);
        let answer = answered(shop, &format!("/orders/{id}")).await?;
        let mut expected = order(&id, "ada", &self.sku(number), Self::qty(number));
        expected["status"] = json!("confirmed");
        ensure!(
            answer.status == 200 && answer.json() == expected,
            "order {id}: {answer}"
        );
        Ok(())
    }

    async fn verify_notified(&self, shop: &Client, number: u64) -> Result<()> {
        let path = format!("/notifications/{}", self.id(number));
        let answer = shop
            .get_until(&path, |answer| answer.json()["sent"] != 0)
            .await?;
        ensure!(answer.json()["sent"] == 1, "GET {path}: {answer}");
        Ok(())
    }

    async fn verify_stock(&self, shop: &Client) -> Result<()> {
        let mut expected = BTreeMap::new();
        for number in 0..self.orders {
            *expected.entry(self.sku(number)).or_insert(Self::STOCK) -= Self::qty(number);
        }
        let mut stock = BTreeMap::new();
        for sku in expected.keys() {
            let answer = answered(shop, &format!("/inventory/{sku}")).await?;
            let qty = answer.json()["qty"].as_u64();
            stock.insert(
                sku.clone(),
                qty.with_context(|| format!("stock of {sku}: {answer}"))?,
            );
        }
        ensure!(
            stock == expected,
            "the stock is {stock:?}, the orders leave {expected:?}"
        );
        Ok(())
    }
}

/// An answer of a guest: one that was too busy is asked again.
async fn answered(shop: &Client, path: &str) -> Result<Answer> {
    shop.get_until(path, |answer| answer.status != 503).await
}
