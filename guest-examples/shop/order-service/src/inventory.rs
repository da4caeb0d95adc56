//! Calls to inventory-service.

use berth_sdk::invoke::Call;
use serde_json::json;
use shop_kit::{Failure, Order};
use std::time::Duration;

/// Leaves this service time to answer within its own limit of five seconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Sets the order's items aside. Safe to repeat: an order is reserved once.
pub fn reserve(order: &Order) -> Result<(), Failure> {
    let call = Call::post("inventory-service", "reserve")
        .json(&json!({ "orderId": order.order_id, "items": order.items }))?
        .timeout(TIMEOUT);
    let answer = call.send().map_err(|error| {
        Failure::unavailable(format!(
            "inventory-service cannot be asked: {}",
            error.message()
        ))
    })?;
    understand(answer.status().as_u16(), answer.body())
}

fn understand(status: u16, body: &[u8]) -> Result<(), Failure> {
    match status {
        200 => Ok(()),
        // Out of stock, or too busy: inventory-service has said it best.
        409 | 503 => Err(Failure::passed_on(status, body)),
        _ => Err(Failure::unavailable(format!(
            "inventory-service answered {status}: {}",
            String::from_utf8_lossy(body)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_stock_reaches_the_customer_as_it_was_said() {
        let said = r#"{"error":"out-of-stock","sku":"tea"}"#;
        let failure = understand(409, said.as_bytes()).expect_err("a conflict");
        assert_eq!(
            serde_json::to_string(&failure).expect("a failure is JSON"),
            said
        );
    }

    #[test]
    fn any_other_answer_is_worth_another_attempt() {
        let failure = understand(500, b"oops").expect_err("a failure");
        let failure = serde_json::to_value(&failure).expect("a failure is JSON");
        assert_eq!(failure["error"], "unavailable");
    }
}
