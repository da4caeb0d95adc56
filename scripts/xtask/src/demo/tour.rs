//! What the demo shows of the shop: requests in order, and why each is worth a look.

/// One scene of the tour.
pub enum Scene {
    /// A request.
    Ask(Stop),
    /// The host is killed, `kill -9`, and started again on its data.
    Kill {
        /// What to look at.
        about: &'static str,
    },
}

use Scene::{Ask, Kill};

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

const ORDER: &str = r#"{"orderId":"order-1","customerId":"ada","items":[{"sku":"espresso","qty":2}],"totalCents":700}"#;
const TOO_MUCH: &str =
    r#"{"customerId":"bob","items":[{"sku":"espresso","qty":99}],"totalCents":34650}"#;
const NO_NUMBER: &str =
    r#"{"customerId":"bob","items":[{"sku":"espresso","qty":1}],"totalCents":"much"}"#;
const POISON: &str = r#"{"orderId":"order-2","customerId":"poison","items":[{"sku":"espresso","qty":1}],"totalCents":350}"#;
const CART: &str = r#"{"items":[{"sku":"espresso","qty":1}]}"#;
const NOTE: &str = r#"{"note":"no sugar"}"#;

const BROKE: &str = r#"{"orderId":"order-3","customerId":"broke","items":[{"sku":"espresso","qty":1}],"totalCents":350}"#;
const LARGE: &str = r#"{"orderId":"order-4","customerId":"ada","items":[{"sku":"espresso","qty":3}],"totalCents":123400}"#;

/// The tour, first scene first.
pub const TOUR: &[Scene] = &[
    put("Stock comes in.", "/inventory/espresso", r#"{"qty":10}"#),
    post(
        "An order: order-service reads a secret, reserves at inventory-service, saves and publishes.",
        "/orders",
        ORDER,
        201,
    ),
    post(
        "The same order again is the same order, once.",
        "/orders",
        ORDER,
        201,
    ),
    get("It is stored.", "/orders/order-1", Status(200)),
    get(
        "Its goods are reserved, once: 8 are left.",
        "/inventory/espresso",
        Status(200),
    ),
    get(
        "Its message reached notification-service, which told the customer once.",
        "/notifications/order-1",
        Eventually(r#""sent":1"#),
    ),
    post(
        "More than there is: out of stock.",
        "/orders",
        TOO_MUCH,
        409,
    ),
    post(
        "An invalid body: the answer names the field.",
        "/orders",
        NO_NUMBER,
        400,
    ),
    put("A cart, kept for an hour.", "/carts/ada", CART),
    Ask(Stop {
        about: "A change is merged into it, unless somebody else was first.",
        verb: "PATCH",
        path: "/carts/ada",
        body: Some(NOTE),
        expected: Status(200),
    }),
    post("A customer who cannot be told.", "/orders", POISON, 201),
    get(
        "After some attempts that message is a dead letter, which audit-service keeps.",
        "/audit",
        Eventually("order-2"),
    ),
    post(
        "A saga, whose payment is going to fail.",
        "/sagas",
        BROKE,
        202,
    ),
    get(
        "It failed, and what was done before is undone.",
        "/sagas/order-3",
        Eventually(r#""status":"failed","step":"undone""#),
    ),
    get(
        "What it did in the world, each with its idempotency key.",
        "/sagas/order-3/ledger",
        Eventually("release"),
    ),
    post(
        "A large order, which waits for somebody to approve it.",
        "/sagas",
        LARGE,
        202,
    ),
    get(
        "It waits, alive.",
        "/sagas/order-4",
        Eventually("waiting for approval"),
    ),
    Kill {
        about: "The host is killed in the middle of it, and started again.",
    },
    Ask(Stop {
        about: "The approval.",
        verb: "POST",
        path: "/sagas/order-4/approve",
        body: None,
        expected: Status(202),
    }),
    get(
        "It goes on where it was, and nothing is done twice.",
        "/sagas/order-4",
        Eventually(r#""status":"completed""#),
    ),
    get(
        "The last customer has been told, too.",
        "/notifications/order-4",
        Eventually(r#""sent":1"#),
    ),
];

const fn get(about: &'static str, path: &'static str, expected: Answer) -> Scene {
    Ask(Stop {
        about,
        verb: "GET",
        path,
        body: None,
        expected,
    })
}

const fn put(about: &'static str, path: &'static str, body: &'static str) -> Scene {
    Ask(Stop {
        about,
        verb: "PUT",
        path,
        body: Some(body),
        expected: Status(200),
    })
}

const fn post(about: &'static str, path: &'static str, body: &'static str, status: u16) -> Scene {
    Ask(Stop {
        about,
        verb: "POST",
        path,
        body: Some(body),
        expected: Status(status),
    })
}
