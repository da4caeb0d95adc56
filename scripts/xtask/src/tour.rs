//! What the demo shows of the shop: requests in order, and why each is worth a look.

/// One request of the tour.
pub struct Stop {
    /// What to look at.
    pub about: &'static str,
    /// HTTP verb.
    pub verb: &'static str,
    /// Path at the ingress.
    pub path: &'static str,
    /// JSON body.
    pub body: Option<&'static str>,
    /// The answer that shows it. What messages bring about is asked for until it has happened.
    pub expected: Answer,
}

/// When a stop is reached.
pub enum Answer {
    /// The first answer has this status.
    Status(u16),
    /// Some answer in the next seconds is a 200 that contains this text.
    Eventually(&'static str),
}

use Answer::{Eventually, Status};

const fn stop(
    about: &'static str,
    verb: &'static str,
    path: &'static str,
    body: Option<&'static str>,
    expected: Answer,
) -> Stop {
    Stop {
        about,
        verb,
        path,
        body,
        expected,
    }
}

/// The tour, first stop first.
pub const STOPS: &[Stop] = &[
    stop(
        "Stock comes in.",
        "PUT",
        "/inventory/espresso",
        Some(r#"{"qty":10}"#),
        Status(200),
    ),
    stop(
        "An order: order-service reads a secret, reserves at inventory-service, saves and publishes.",
        "POST",
        "/orders",
        Some(
            r#"{"orderId":"order-1","customerId":"ada","items":[{"sku":"espresso","qty":2}],"totalCents":700}"#,
        ),
        Status(201),
    ),
    stop(
        "The same order again is the same order, once.",
        "POST",
        "/orders",
        Some(
            r#"{"orderId":"order-1","customerId":"ada","items":[{"sku":"espresso","qty":2}],"totalCents":700}"#,
        ),
        Status(201),
    ),
    stop("It is stored.", "GET", "/orders/order-1", None, Status(200)),
    stop(
        "Its goods are reserved: 8 are left.",
        "GET",
        "/inventory/espresso",
        None,
        Status(200),
    ),
    stop(
        "Its message reached notification-service, which sent one notification.",
        "GET",
        "/notifications/order-1",
        None,
        Eventually(r#""sent":1"#),
    ),
    stop(
        "More than there is: out of stock.",
        "POST",
        "/orders",
        Some(r#"{"customerId":"bob","items":[{"sku":"espresso","qty":99}],"totalCents":34650}"#),
        Status(409),
    ),
    stop(
        "An invalid body: the answer names the field.",
        "POST",
        "/orders",
        Some(r#"{"customerId":"bob","items":[],"totalCents":"much"}"#),
        Status(400),
    ),
    stop(
        "A cart, kept for an hour.",
        "PUT",
        "/carts/ada",
        Some(r#"{"items":[{"sku":"espresso","qty":1}]}"#),
        Status(200),
    ),
    stop("There it is.", "GET", "/carts/ada", None, Status(200)),
    stop(
        "A customer whose notification always fails.",
        "POST",
        "/orders",
        Some(
            r#"{"orderId":"order-2","customerId":"poison","items":[{"sku":"espresso","qty":1}],"totalCents":350}"#,
        ),
        Status(201),
    ),
    stop(
        "After its retries the message is a dead letter, which audit-service keeps.",
        "GET",
        "/audit",
        None,
        Eventually("order-2"),
    ),
];
