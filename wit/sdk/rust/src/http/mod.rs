//! Requests in and out, in the types of the [`http`](https://docs.rs/http) crate.
//!
//! ```
//! use berth_sdk::{
//!     Result,
//!     http::{Json, Request, RequestExt, Router},
//! };
//! use serde_json::{Value, json};
//!
//! fn routes() -> Router {
//!     Router::new().get("/hello/{name}", hello).post("/echo", echo)
//! }
//!
//! fn hello(request: Request) -> String {
//!     format!("Hello, {}!\n", request.param("name"))
//! }
//!
//! fn echo(request: Request) -> Result<Json<Value>> {
//!     Ok(Json(json!({ "you said": request.json::<Value>()? })))
//! }
//!
//! berth_sdk::guest! { http: routes }
//! # fn main() {}
//! ```

mod client;
mod request;
mod response;
mod router;
mod wire;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
pub use client::send;
pub use request::RequestExt;
pub use response::{IntoResponse, Json};
pub use router::Router;

#[doc(hidden)]
pub use wire::serve;

/// A request that has arrived as a whole.
pub type Request = ::http::Request<Vec<u8>>;

/// An answer, sent as a whole.
pub type Response = ::http::Response<Vec<u8>>;
