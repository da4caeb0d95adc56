//! The programs that berth is compared with, and the one that loads them.

pub mod mutual_tls;
pub mod native;
pub mod restate;
pub mod sqlite;
pub mod wasmtime;
pub mod wrk;
