//! The harness of the end-to-end tests: the real `berth` binary, real guests, real sockets.
//!
//! - [`Host`] starts `berth run` on free ports and a fresh data directory, and can kill, stop and restart it;
//! - [`Client`] speaks to it; an [`Answer`] is a response that has arrived as a whole;
//! - [`Folder`] holds the documents of one test;
//! - a [`Set`] of `components/` runs the shop, on servers of its own;
//! - [`berth`] runs any other command of the binary to its end;
//! - [`eventually`] waits for a condition, within a bound.
//!
//! `BERTH_BIN` names the binary; without it the one beside the tests is taken. Guests come from `cargo xtask guests`.

mod client;
mod command;
mod eventually;
mod folder;
mod frail;
mod host;
mod logs;
mod memory;
mod neighbour;
mod network;
mod paths;
mod sets;
mod shop;
mod wire;

pub use client::{Answer, Client};
pub use command::{Berth, Finished, berth, shell};
pub use eventually::{eventually, timely};
pub use folder::Folder;
pub use frail::{Fault, Frail};
pub use host::{Host, HostBuilder};
pub use logs::Record;
pub use memory::Memory;
pub use neighbour::Neighbour;
pub use network::{Network, Node};
pub use paths::{fixtures, guest, repository, sdk};
pub use sets::{Fleet, Set, Shop};
pub use shop::{Load, Tally, order, shop, start_shop};
pub use wire::{Wire, raise_file_limit};
