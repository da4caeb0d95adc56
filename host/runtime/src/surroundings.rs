//! What guests meet besides the building blocks: randomness, and the world outside. A test puts its own in their place.

use crate::workflow::Seeded;
use async_trait::async_trait;
use berth_blocks::{
    Caller,
    invocation::{Body, InvokeError},
};
use berth_workflow::Random;
use http::{Request, Response};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Randomness and the world outside. The default is the real ones.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Answers requests to the world outside, once the manifest has allowed them, in the place of the network.
    pub outside: Option<Arc<dyn Outside>>,
    /// Whose random numbers repeat: every instance gets numbers of its own, the same in every run.
    pub seed: Option<Arc<Seed>>,
}

/// The world outside.
#[async_trait]
pub trait Outside: Send + Sync + 'static {
    /// The answer to a request, whose URI is absolute.
    async fn answer(
        &self,
        caller: &Caller,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError>;
}

/// A source of seeds.
#[derive(Debug)]
pub struct Seed {
    first: u64,
    taken: AtomicU64,
}

impl Seed {
    /// Seeds that follow from a number.
    #[must_use]
    pub fn new(first: u64) -> Self {
        Self {
            first,
            taken: AtomicU64::new(0),
        }
    }

    /// Randomness for another instance.
    pub(crate) fn next(&self) -> Seeded {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        Seeded(Random::new(&format!("{}/{taken}", self.first)))
    }
}
