//! What the till does with messages: it adds up what was paid.

use crate::{
    Planted,
    bindings::exports::berth::pubsub::{
        subscriber::{self, Delivery, Outcome},
        subscriptions::{self, Subscription},
    },
    has_bug, store,
};

impl subscriptions::Guest for Planted {
    fn declare() -> Vec<Subscription> {
        vec![Subscription {
            pubsub: "pubsub".to_owned(),
            topic: "paid".to_owned(),
            rules: Vec::new(),
            default_route: Some("/paid".to_owned()),
            dead_letter_topic: Some("paid-dead".to_owned()),
            bulk: None,
            metadata: Vec::new(),
        }]
    }
}

impl subscriber::Guest for Planted {
    fn handle(delivery: Delivery) -> Outcome {
        let text = String::from_utf8_lossy(&delivery.event.data).into_owned();
        let Ok(amount) = text.trim_matches('"').parse::<i64>() else {
            return if has_bug("poison") {
                panic!("{text} is no amount");
            } else {
                Outcome::Drop
            };
        };
        let added = if has_bug("not-idempotent") {
            store::add("total", amount)
        } else {
            store::add_once("total", amount, &format!("seen-{}", delivery.event.id))
        };
        match added {
            Ok(()) => Outcome::Success,
            Err(_) if has_bug("lost-message") => Outcome::Success,
            Err(_) => Outcome::Retry,
        }
    }
}
