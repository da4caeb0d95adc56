//! What is known about the notification of one order.

use serde::{Deserialize, Serialize};

/// This customer's mailbox always fails, to show where messages go that nobody can handle.
const UNREACHABLE_CUSTOMER: &str = "poison";

/// What this service wants to know of an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    pub order_id: String,
    pub customer_id: String,
}

/// One per order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    pub order_id: String,
    /// 1 once the customer has been told; never more.
    pub sent: u64,
    /// How often the message has come.
    pub deliveries: u64,
}

impl Notification {
    /// Before the first message.
    pub fn none(order_id: &str) -> Self {
        Self {
            order_id: order_id.to_owned(),
            sent: 0,
            deliveries: 0,
        }
    }

    /// After one more message.
    pub fn delivered(self, order: &Announced) -> Self {
        let reachable = order.customer_id != UNREACHABLE_CUSTOMER;
        Self {
            sent: u64::from(reachable),
            deliveries: self.deliveries + 1,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(customer: &str) -> Announced {
        Announced {
            order_id: "order-1".to_owned(),
            customer_id: customer.to_owned(),
        }
    }

    #[test]
    fn a_message_that_comes_twice_is_sent_once() {
        let ada = announced("ada");
        let notification = Notification::none("order-1")
            .delivered(&ada)
            .delivered(&ada);
        assert_eq!((notification.sent, notification.deliveries), (1, 2));
    }

    #[test]
    fn poison_is_counted_but_never_sent() {
        let notification = Notification::none("order-1").delivered(&announced("poison"));
        assert_eq!((notification.sent, notification.deliveries), (0, 1));
    }
}
