//! What an order is, and what it takes to be one.

use crate::{Failure, Field};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const ITEMS_MAX: usize = 100;
const QTY_MAX: u64 = 1_000_000;
const TOTAL_CENTS_MAX: u64 = 100_000_000_000;
const CUSTOMER_LENGTH_MAX: usize = 128;

/// An order, as it is stored, announced and answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Chosen by the customer's program, so that an order can be sent again.
    pub order_id: String,
    /// Who pays.
    pub customer_id: String,
    /// At least one.
    pub items: Vec<Item>,
    /// What all of it costs.
    pub total_cents: u64,
    /// How far it has come.
    pub status: Status,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What.
    pub sku: String,
    /// How many.
    pub qty: u64,
}

/// How far an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Stock is reserved and the order is stored, but perhaps nobody has been told.
    Placed,
    /// It has been announced on the topic.
    Confirmed,
}

impl Order {
    /// Reads an order out of a request's body. One without an ID gets a new one.
    pub fn read(body: &Value, new_id: impl FnOnce() -> String) -> Result<Self, Failure> {
        let body = Field::body(body);
        body.object()?;
        Ok(Self {
            order_id: body
                .get("orderId")
                .optional()
                .map_or_else(|| Ok(new_id()), |id| id.id())?,
            customer_id: body.get("customerId").text(CUSTOMER_LENGTH_MAX)?,
            items: body.get("items").list(1..=ITEMS_MAX, Item::read)?,
            total_cents: body.get("totalCents").whole(0..=TOTAL_CENTS_MAX)?,
            status: Status::Placed,
        })
    }
}

impl Item {
    fn read(item: Field<'_>) -> Result<Self, Failure> {
        Ok(Self {
            sku: item.get("sku").id()?,
            qty: item.get("qty").whole(1..=QTY_MAX)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn valid() -> Value {
        json!({
            "orderId": "order-1",
            "customerId": "ada",
            "items": [{ "sku": "tea", "qty": 2 }, { "sku": "cup", "qty": 1 }],
            "totalCents": 1850,
        })
    }

    fn read(body: &Value) -> Result<Order, Failure> {
        Order::read(body, || "new".to_owned())
    }

    #[test]
    fn a_new_order_is_placed() {
        let order = read(&valid()).expect("a valid order");
        let mut expected = valid();
        expected["status"] = json!("placed");
        assert_eq!(
            serde_json::to_value(order).expect("an order is JSON"),
            expected
        );
    }

    #[test]
    fn an_order_without_an_id_gets_one() {
        for absent in [json!(null), Value::Object(serde_json::Map::new())] {
            let mut body = valid();
            match absent {
                Value::Null => body["orderId"] = Value::Null,
                _ => drop(body.as_object_mut().expect("an object").remove("orderId")),
            }
            assert_eq!(read(&body).expect("a valid order").order_id, "new");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("/orderId", json!("a||b"), "orderId"),
            ("/orderId", json!(7), "orderId"),
            ("/customerId", json!("  "), "customerId"),
            ("/customerId", json!(null), "customerId"),
            ("/items", json!([]), "items"),
            ("/items", json!("tea"), "items"),
            ("/items/1", json!("tea"), "items[1].sku"),
            ("/items/0/sku", json!(""), "items[0].sku"),
            ("/items/0/qty", json!(0), "items[0].qty"),
            ("/items/1/qty", json!(1.5), "items[1].qty"),
            ("/items/1/qty", json!("1"), "items[1].qty"),
            ("/totalCents", json!(-1), "totalCents"),
            ("", json!([valid()]), "body"),
        ];
        for (pointer, wrong, field) in cases {
            let mut body = valid();
            *body
                .pointer_mut(pointer)
                .expect("a field of the valid order") = wrong.clone();
            let failure =
                serde_json::to_value(read(&body).expect_err(field)).expect("a failure is JSON");
            assert_eq!(
                (&failure["error"], &failure["field"]),
                (&json!("invalid"), &json!(field)),
                "{wrong}"
            );
        }
    }
}
