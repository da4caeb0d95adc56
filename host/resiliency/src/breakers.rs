//! The circuit breakers of a target: one, or one for each of its endpoints.

use crate::{
    breaker::{Breaker, BreakerState},
    meters::BreakerMeters,
};
use berth_resources::CircuitBreakerPolicy;
use hashlink::LruCache;
use parking_lot::Mutex;
use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hash},
    sync::{Arc, LazyLock},
};
use tokio::time::Instant;

/// What has a circuit breaker of its own within a target: nothing, or a method of an app, as in Dapr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Endpoint(u64);

impl Endpoint {
    /// Targets with one breaker.
    pub const WHOLE: Self = Self(0);

    /// An endpoint by whatever names it. Only a hash is kept: names come from callers and may be long. Two that collide
    /// share a breaker.
    #[must_use]
    pub fn of(name: impl Hash) -> Self {
        /// Seeded: nobody outside can make names collide.
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(HASHER.hash_one(name))
    }
}

/// The breakers of one target under one policy.
pub(crate) struct Breakers {
    policy: CircuitBreakerPolicy,
    meters: Arc<BreakerMeters>,
    own: Own,
}

enum Own {
    One(Arc<Breaker>),
    PerEndpoint(Mutex<LruCache<Endpoint, Arc<Breaker>>>),
}

/// How many breakers a target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Count {
    One,
    /// One for each endpoint, those used most recently, at most this many.
    PerEndpoint(u32),
}

impl Breakers {
    pub(crate) fn new(
        policy: &CircuitBreakerPolicy,
        count: Count,
        meters: BreakerMeters,
        now: Instant,
    ) -> Self {
        let meters = Arc::new(meters);
        let own = match count {
            Count::One => Own::One(Arc::new(Breaker::new(policy, meters.clone(), now))),
            Count::PerEndpoint(most) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                Own::PerEndpoint(Mutex::new(LruCache::new(most.max(1))))
            }
        };
        Self {
            policy: policy.clone(),
            meters,
            own,
        }
    }

    /// The breaker of an endpoint.
    pub(crate) fn of(&self, endpoint: Endpoint, now: Instant) -> Arc<Breaker> {
        match &self.own {
            Own::One(breaker) => breaker.clone(),
            Own::PerEndpoint(all) => {
                let mut all = all.lock();
                if let Some(breaker) = all.get(&endpoint) {
                    return breaker.clone();
                }
                let new = Arc::new(Breaker::new(&self.policy, self.meters.clone(), now));
                all.insert(endpoint, new.clone());
                new
            }
        }
    }

    /// How many are in which state, the worst first.
    pub(crate) fn states(&self, now: Instant) -> Vec<(BreakerState, usize)> {
        let states: Vec<_> = match &self.own {
            Own::One(breaker) => vec![breaker.state(now)],
            Own::PerEndpoint(all) => {
                let all = all.lock();
                all.iter().map(|(_, breaker)| breaker.state(now)).collect()
            }
        };
        let count = |state| states.iter().filter(|own| **own == state).count();
        let all = [
            BreakerState::Open,
            BreakerState::HalfOpen,
            BreakerState::Closed,
        ];
        let counted = all.map(|state| (state, count(state)));
        counted
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
