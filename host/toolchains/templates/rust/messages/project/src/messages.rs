//! Keeps the messages of a topic.

use berth_sdk::{
    Error, Kind, Result,
    http::{Json, Request, RequestExt, Router},
    pubsub::{Delivery, Subscriptions, Topic},
    state::Store,
};
use serde::{Deserialize, Serialize};

const STORE: &str = "statestore";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Message {
    id: String,
    text: String,
}

/// The topic `messages`.
pub fn subscriptions() -> Subscriptions {
    Subscriptions::new().topic(Topic::new("pubsub", "messages"), keep)
}

/// `GET /messages/{id}` shows a message that has come.
pub fn routes() -> Router {
    Router::new().get("/messages/{id}", show)
}

// A message may come more than once: to write the same again does no harm. One whose handler gives an error comes again.
fn keep(delivery: &Delivery) -> Result<()> {
    let message: Message = delivery.json()?;
    Store::open(STORE)?.set(&key(&message.id), &message)?;
    println!("received {}", message.id);
    Ok(())
}

fn show(request: Request) -> Result<Json<Message>> {
    let message = Store::open(STORE)?.get(&key(request.param("id")))?;
    message.map(Json).ok_or_else(|| Error::new(Kind::NotFound, "no such message"))
}

fn key(id: &str) -> String {
    format!("message-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_is_written() {
        let message = Message { id: "1".to_owned(), text: "hello".to_owned() };
        let written = serde_json::to_string(&message).expect("JSON");
        assert_eq!(written, r#"{"id":"1","text":"hello"}"#);
        assert_eq!(serde_json::from_str::<Message>(&written).expect("a message"), message);
    }
}
