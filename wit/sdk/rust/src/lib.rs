//! Guests of berth in Rust.
//!
//! A guest is a WebAssembly component: a `cdylib` for `wasm32-wasip2`, which `berth build` makes. [`guest!`] says what it
//! offers; what it asks for stands in one module for each building block.
//!
//! ```
//! use berth_sdk::{
//!     Result,
//!     http::{Json, Request, RequestExt, Router},
//!     state::Store,
//! };
//! use serde_json::{Value, json};
//!
//! berth_sdk::guest! { http: routes }
//!
//! fn routes() -> Router {
//!     Router::new().post("/visits/{who}", visit)
//! }
//!
//! fn visit(request: Request) -> Result<Json<Value>> {
//!     let key = format!("visits-{}", request.param("who"));
//!     let count = |before: Option<u64>| before.unwrap_or(0) + 1;
//!     let visits = Store::open("statestore")?.update(&key, count)?;
//!     Ok(Json(json!({ "visits": visits })))
//! }
//! # fn main() {}
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`http`] | routes, requests and answers in the types of the `http` crate; requests to the outside |
//! | [`state`] | values, etags, time to live, transactions |
//! | [`pubsub`] | publish, and subscriptions |
//! | [`invoke`] | calls to other apps |
//! | [`secrets`] | secrets |
//! | [`workflow`] | workflows and activities, and the client that starts them |
//! | [`random`] | randomness and UUIDs |
//! | [`telemetry`] | spans and attributes beside those of the host |
//!
//! Every call fails with one [`Error`], whose [`Kind`] says what a program can do. Handlers may give it as it is: as an answer
//! it has the status of its kind, for a message it means "again", for an activity it is a failure.

extern crate self as berth_sdk;

mod attempts;
#[doc(hidden)]
pub mod bindings;
mod error;
mod guest;
pub mod http;
pub mod invoke;
mod json;
pub mod pubsub;
pub mod random;
pub mod secrets;
pub mod state;
pub mod telemetry;
pub mod workflow;

pub use error::{Error, Kind, Result};

#[doc(hidden)]
pub use wit_bindgen;
