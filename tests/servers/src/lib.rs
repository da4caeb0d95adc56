//! Private servers for tests: each with its own port and data directory, to be killed, frozen and cut off at will.
//!
//! Common to all: [`Process`] (the server), [`Proxy`] (the network before it), [`Authority`] (certificates), [`program()`]
//! (where it is installed) and [`free_port`]. Those that take long to start are [`Shareable`]; [`extent`] says how long
//! a test may torment them. A module per server knows how that one is configured and when it is ready.
#![allow(
    clippy::missing_panics_doc,
    reason = "for tests: what goes wrong ends the test"
)]

mod certificates;
mod collector;
mod kafka;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod rabbitmq;
mod redis;
mod shared;
mod soak;

pub use certificates::{Authority, Certificate};
pub use collector::{Collector, RecordedSpan, forest};
pub use kafka::MockKafka;
pub use port::free_port;
pub use postgres::{Postgres, PostgresDatabase};
pub use process::Process;
pub use program::program;
pub use proxy::Proxy;
pub use rabbitmq::RabbitMq;
pub use redis::{ClientTls, Redis, RedisCluster, RedisOptions, RedisSentinel};
pub use shared::{Own, Shareable, Shared, shared};
pub use soak::extent;
