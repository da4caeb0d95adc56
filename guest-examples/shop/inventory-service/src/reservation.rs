//! What is set aside for an order.

use crate::stock;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shop_kit::{Failure, Field};

const ITEMS_MAX: usize = 100;

/// The record that makes `reserve` and `release` safe to repeat: one per order, kept for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    pub order_id: String,
    pub items: Vec<Item>,
    pub status: Status,
}

/// Some of one SKU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub sku: String,
    pub qty: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The items are out of the stock.
    Reserved,
    /// They are back. This is final: a `reserve` that was overtaken by its `release` must not take them again.
    Released,
}

impl Reservation {
    /// Reads what `reserve` is asked for.
    pub fn read(body: &Value) -> Result<Self, Failure> {
        let body = Field::body(body);
        Ok(Self {
            order_id: body.get("orderId").id()?,
            items: body.get("items").list(1..=ITEMS_MAX, Item::read)?,
            status: Status::Reserved,
        })
    }

    /// What an order holds that has reserved nothing yet.
    pub fn nothing(order_id: &str) -> Self {
        Self {
            order_id: order_id.to_owned(),
            items: Vec::new(),
            status: Status::Reserved,
        }
    }

    /// The reservation after its items were put back.
    pub fn released(self) -> Self {
        Self {
            status: Status::Released,
            ..self
        }
    }

    /// Whether this reservation is what is asked for, once more.
    pub fn covers(&self, asked: &Self) -> Result<(), Failure> {
        if self.status == Status::Released {
            return Err(Failure::new(
                409,
                "released",
                format!("order {} has been released", self.order_id),
            ));
        }
        if self.items != asked.items {
            return Err(Failure::conflict(format!(
                "order {} has reserved other items",
                self.order_id
            )));
        }
        Ok(())
    }
}

impl Item {
    fn read(item: Field<'_>) -> Result<Self, Failure> {
        Ok(Self {
            sku: item.get("sku").id()?,
            qty: item.get("qty").whole(1..=stock::QTY_MAX)?,
        })
    }
}

pub fn key(order_id: &str) -> String {
    format!("reservation-{order_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(qty: u64) -> Reservation {
        let body = json!({ "orderId": "order-1", "items": [{ "sku": "tea", "qty": qty }] });
        Reservation::read(&body).expect("a valid request")
    }

    #[test]
    fn the_same_again_is_covered() {
        assert_eq!(asked(2).covers(&asked(2)), Ok(()));
    }

    #[test]
    fn an_order_cannot_reserve_something_else() {
        assert!(asked(2).covers(&asked(3)).is_err());
    }

    #[test]
    fn a_released_order_stays_released() {
        assert!(asked(2).released().covers(&asked(2)).is_err());
        assert!(
            Reservation::nothing("order-1")
                .released()
                .covers(&asked(2))
                .is_err()
        );
    }
}
