//! Calls to inventory-service.

use crate::wit::berth::invocation::invoker::{self, Error, Request};
use serde_json::json;
use shop_kit::{Failure, Order};

/// Leaves this service time to answer within its own limit of five seconds.
const TIMEOUT_MS: u32 = 3_000;

/// Sets the order's items aside. Safe to repeat: an order is reserved once.
pub fn reserve(order: &Order) -> Result<(), Failure> {
    let body = json!({ "orderId": order.order_id, "items": order.items });
    let request = Request {
        method: "reserve".to_owned(),
        verb: "POST".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        query: None,
        body: body.to_string().into_bytes(),
        timeout_ms: Some(TIMEOUT_MS),
        metadata: Vec::new(),
    };
    let answer = invoker::invoke("inventory-service", &request).map_err(unreachable)?;
    understand(answer.status, &answer.body)
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

fn unreachable(error: Error) -> Failure {
    let (Error::NotFound(text)
    | Error::Denied(text)
    | Error::Invalid(text)
    | Error::Unavailable(text)
    | Error::Timeout(text)
    | Error::TooLarge(text)
    | Error::Other(text)) = error;
    Failure::unavailable(format!("inventory-service cannot be asked: {text}"))
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
