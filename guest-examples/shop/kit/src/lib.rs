//! What the shop's guests share, so that each of them is only its own story:
//!
//! - [`Field`]: JSON that was read by a stranger's program, checked field by field; [`body`] and [`path_id`] read a request so;
//! - [`Failure`]: what a caller is told when something went wrong;
//! - [`Order`]: what an order is, and what it takes to be one.

mod failure;
mod field;
mod order;
mod request;

pub use failure::Failure;
pub use field::Field;
pub use order::{Item, Order, Status};
pub use request::{body, path_id};

/// The store of every guest.
pub const STORE: &str = "statestore";
