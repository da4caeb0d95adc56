//! Reviews, which come as messages on the topic `reviews`: `{"id": "1", "text": "..."}`.
//!
//! Some texts break the handler, to show what becomes of such a message: `hesitate` throws once, `throw` always, `trap` ends
//! the instance, `loop` never ends by itself. All but the first are dead letters after the attempts that the shop's
//! resiliency policy allows.

use berth_sdk::{
    http::{Json, Request},
    pubsub::{Delivery, Subscriptions, Topic},
    state::Store,
};
use serde::{Deserialize, Serialize};
use shop_kit::{Failure, STORE, path_id};
use std::hint::black_box;

/// As it comes.
#[derive(Deserialize)]
struct Review {
    id: String,
    text: String,
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    id: String,
    text: String,
    /// How often it came.
    deliveries: u64,
}

/// The topic, and where reviews go that could not be kept.
pub fn subscriptions() -> Subscriptions {
    let reviews = Topic::new("pubsub", "reviews").dead_letter("reviews-dlq");
    Subscriptions::new().topic(reviews, keep)
}

fn keep(delivery: &Delivery) -> Result<(), Failure> {
    let Review { id, text } = delivery.json()?;
    let count = |before: Option<Kept>| Kept {
        id: id.clone(),
        text: text.clone(),
        deliveries: before.map_or(0, |kept| kept.deliveries) + 1,
    };
    let kept = Store::open(STORE)?.update(&key(&id), count)?;
    match text.as_str() {
        "hesitate" if kept.deliveries == 1 => Err(Failure::unavailable("a second thought")),
        "throw" => Err(Failure::unavailable("this review is never kept")),
        "trap" => panic!("this review ends the instance"),
        "loop" => loop {
            black_box(());
        },
        _ => Ok(()),
    }
}

/// Shows a review that has come.
pub fn show(request: Request) -> Result<Json<Kept>, Failure> {
    let id = path_id(&request, "reviewId")?;
    let kept = Store::open(STORE)?.get(&key(&id))?;
    kept.map(Json)
        .ok_or_else(|| Failure::not_found(format!("there is no review {id}")))
}

fn key(id: &str) -> String {
    format!("review-{id}")
}
