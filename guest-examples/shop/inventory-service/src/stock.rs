//! How many of a thing are left.

use crate::reservation::Item;
use serde::{Deserialize, Serialize};
use shop_kit::Failure;
use std::collections::BTreeMap;

/// Most that can be in stock of one SKU.
pub const QTY_MAX: u64 = 1_000_000_000;

/// What is left of one SKU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    pub sku: String,
    pub qty: u64,
}

impl Stock {
    /// The stock after taking some out, never below zero.
    pub fn take(self, qty: u64) -> Result<Self, Failure> {
        match self.qty.checked_sub(qty) {
            Some(left) => Ok(Self { qty: left, ..self }),
            None => Err(self.short_of(qty)),
        }
    }

    /// The stock after putting some back.
    pub fn put_back(self, qty: u64) -> Self {
        Self {
            qty: self.qty.saturating_add(qty),
            ..self
        }
    }

    fn short_of(&self, wanted: u64) -> Failure {
        Failure::new(
            409,
            "out-of-stock",
            format!("{wanted} of {} wanted, {} left", self.sku, self.qty),
        )
        .with("sku", self.sku.as_str())
        .with("wanted", wanted)
        .with("left", self.qty)
    }
}

/// Items by SKU: an order may name one twice.
pub fn totals(items: &[Item]) -> BTreeMap<&str, u64> {
    items.iter().fold(BTreeMap::new(), |mut totals, item| {
        *totals.entry(item.sku.as_str()).or_default() += item.qty;
        totals
    })
}

pub fn key(sku: &str) -> String {
    format!("stock-{sku}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tea(qty: u64) -> Stock {
        Stock {
            sku: "tea".to_owned(),
            qty,
        }
    }

    #[test]
    fn the_last_one_can_be_taken_but_no_more() {
        assert_eq!(tea(2).take(2), Ok(tea(0)));
        let failure =
            serde_json::to_value(tea(2).take(3).expect_err("short")).expect("a failure is JSON");
        assert_eq!(
            failure.to_string(),
            r#"{"error":"out-of-stock","message":"3 of tea wanted, 2 left","sku":"tea","wanted":3,"left":2}"#
        );
    }

    #[test]
    fn what_is_taken_and_put_back_is_whole_again() {
        assert_eq!(tea(5).take(3).map(|left| left.put_back(3)), Ok(tea(5)));
    }

    #[test]
    fn a_sku_that_is_named_twice_counts_twice() {
        let item = |sku: &str, qty| Item {
            sku: sku.to_owned(),
            qty,
        };
        let items = [item("tea", 1), item("cup", 4), item("tea", 2)];
        assert_eq!(totals(&items), BTreeMap::from([("cup", 4), ("tea", 3)]));
    }
}
