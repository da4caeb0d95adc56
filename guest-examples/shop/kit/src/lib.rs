//! What the shop's guests share, so that each of them is only its own story:
//!
//! - [`serve`]: a `wasi:http` request in, a [`Reply`] or a [`Failure`] out, both JSON;
//! - [`Field`]: JSON that was read by a stranger's program, checked field by field;
//! - [`Order`]: what an order is, and what it takes to be one;
//! - [`Documents`]: JSON documents in a state store;
//! - [`attempts`]: the bounded loop around a write that may lose against another one.

mod attempts;
mod documents;
mod failure;
mod field;
mod http;
mod order;
mod path;

pub use attempts::attempts;
pub use documents::{Document, Documents, if_absent, if_unchanged, last_write, won};
pub use failure::Failure;
pub use field::Field;
pub use http::{Reply, Request, serve};
pub use order::{Item, Order, Status};
pub use wit::berth::state::store as state;

/// Generated from the WIT. A guest maps the interfaces that the kit speaks to these with `with`.
#[allow(missing_docs)]
pub mod wit {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package shop:kit;

            world kit {
                import wasi:http/types@0.2.12;
                import wasi:random/random@0.2.12;
                import berth:state/store@0.1.0;
            }
        ",
        world: "shop:kit/kit",
        generate_all,
    });
}
