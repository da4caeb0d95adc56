//! Topics: publish messages, and receive them at least once.
//!
//! ```
//! use berth_sdk::{
//!     Result,
//!     pubsub::{Delivery, Publish, Subscriptions, Topic},
//! };
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Order {
//!     id: String,
//! }
//!
//! fn announce(order: &Order) -> Result<()> {
//!     Publish::to("pubsub", "orders").id(format!("order-{}", order.id)).json(order)
//! }
//!
//! fn subscriptions() -> Subscriptions {
//!     Subscriptions::new().topic(Topic::new("pubsub", "orders").dead_letter("orders-dlq"), notify)
//! }
//!
//! /// It may come more than once. What is an error is delivered again, as the retry policy says.
//! fn notify(delivery: &Delivery) -> Result<()> {
//!     let order: Order = delivery.json()?;
//!     println!("order {} has come", order.id);
//!     Ok(())
//! }
//!
//! berth_sdk::guest! { subscriptions: subscriptions }
//! # fn main() {}
//! ```

mod publish;
mod subscribe;

pub use publish::{Publish, publish};
pub use subscribe::{Delivery, IntoOutcome, Outcome, Subscriptions, Topic};
#[doc(hidden)]
pub use subscribe::{declare, handle};
