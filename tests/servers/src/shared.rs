//! Servers that take seconds to start, shared by all tests of a run.
//!
//! The runner starts them once: `with-servers [NAME]... -- COMMAND` sets one environment variable per server and runs
//! the command. A test that finds no variable starts a server of its own, which lasts as long as a test of this
//! process uses it. A test takes a part of the server that no other has, such as a database with a name of its own.

use std::{
    env,
    sync::{Arc, Weak},
};
use tokio::sync::Mutex;

/// A server that tests share.
pub trait Shareable: Send + Sync + Sized + 'static {
    /// Its name for `with-servers`.
    const NAME: &'static str;
    /// The environment variable with the address of the one that the runner started.
    const VARIABLE: &'static str;

    /// Starts one.
    fn start() -> impl Future<Output = Self>;

    /// How tests reach it: all that they need, credentials included.
    fn address(&self) -> String;
}

/// The server of this run, or one of this process.
#[derive(Debug)]
pub struct Shared<S> {
    /// As the server says it.
    pub address: String,
    /// Kept until the last test of this process is done with it.
    _own: Option<Arc<S>>,
}

/// Where this process keeps its own server: a static per kind of server.
pub type Own<S> = Mutex<Weak<S>>;

/// The server that the runner started, else the one of this process, which is started if it is not running.
pub async fn shared<S: Shareable>(own: &Own<S>) -> Shared<S> {
    if let Ok(address) = env::var(S::VARIABLE) {
        return Shared {
            address,
            _own: None,
        };
    }
    let mut own = own.lock().await;
    let server = match own.upgrade() {
        Some(server) => server,
        None => Arc::new(S::start().await),
    };
    *own = Arc::downgrade(&server);
    Shared {
        address: server.address(),
        _own: Some(server),
    }
}
