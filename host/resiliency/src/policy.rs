//! The policies of one target, ready for use.

use crate::{
    breaker::Permit,
    breakers::{Breakers, Endpoint},
    course::Course,
    meters::Meters,
};
use berth_resources::RetryPolicy;
use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Status of an attempt that failed, for `matching` of a retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It has none: every policy matches it.
    None,
    /// Of an HTTP answer.
    Http(u16),
    /// As in gRPC: what did not reach an answer has one too, such as [`Code::UNAVAILABLE`].
    Grpc(u16),
}

impl Code {
    /// gRPC's DEADLINE_EXCEEDED: there was no answer in time.
    pub const TIMEOUT: Self = Self::Grpc(4);
    /// gRPC's UNAVAILABLE: there was no answer.
    pub const UNAVAILABLE: Self = Self::Grpc(14);
}

/// How an attempt ended: what it says about the target, and whether another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The target works: it did what was asked, or said why not.
    Answered,
    /// It was refused for reasons that lie with the caller. That says nothing about the target.
    Refused,
    /// It failed before the target saw it: no effect, so that trying again is safe.
    Undelivered(Code),
    /// It failed, perhaps after it had an effect. Another attempt may succeed.
    Failed(Code),
    /// It failed in a way that another attempt does not cure.
    Broken,
}

/// What a breaker learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Works,
    Fails,
    Unknown,
}

impl Ended {
    pub(crate) fn health(self) -> Health {
        match self {
            Self::Answered => Health::Works,
            Self::Refused => Health::Unknown,
            Self::Undelivered(_) | Self::Failed(_) | Self::Broken => Health::Fails,
        }
    }
}

/// Which failures a retry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetriedAfter {
    /// Whatever the policy matches: a document says so.
    Failure,
    /// Only what has certainly had no effect: nobody asked for more.
    Undelivered,
}

/// Retries, and what they are for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retries {
    pub(crate) policy: RetryPolicy,
    pub(crate) after: RetriedAfter,
}

impl Retries {
    pub(crate) fn are_for(&self, ended: Ended) -> bool {
        let code = match (ended, self.after) {
            (Ended::Undelivered(code), _) | (Ended::Failed(code), RetriedAfter::Failure) => code,
            (Ended::Failed(_), RetriedAfter::Undelivered)
            | (Ended::Answered | Ended::Refused | Ended::Broken, _) => return false,
        };
        let matching = self.policy.matching.as_ref();
        matching.is_none_or(|matching| match code {
            Code::None => true,
            Code::Http(status) => matching.http_status(status),
            Code::Grpc(code) => matching.grpc_code(code),
        })
    }
}

/// The policies of one target for one app: retry, circuit breaker, timeout, from the outside in.
#[derive(Debug)]
pub struct Policy {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<Retries>,
    pub(crate) breakers: Option<Arc<Breakers>>,
    pub(crate) meters: Meters,
    /// 0 to 1.
    pub(crate) jitter: fn() -> f64,
    /// It was logged that a body cannot be sent again.
    pub(crate) told_unrepeatable: AtomicBool,
}

impl Policy {
    /// The longest that one attempt may take.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// When another attempt is made.
    #[must_use]
    pub fn retry(&self) -> Option<&RetryPolicy> {
        self.retries.as_ref().map(|retries| &retries.policy)
    }

    /// What has a circuit breaker of its own, by whatever names it: all of the target, if there is no breaker at all.
    #[must_use]
    pub fn endpoint(&self, name: impl Hash) -> Endpoint {
        match self.breakers {
            Some(_) => Endpoint::of(name),
            None => Endpoint::WHOLE,
        }
    }

    /// Begins a call. No attempt is made for which `deadline` leaves no time.
    #[must_use]
    pub fn begin(&self, endpoint: Endpoint, deadline: Option<Instant>) -> Course<'_> {
        Course::new(self, endpoint, deadline)
    }

    pub(crate) fn admit(
        &self,
        endpoint: Endpoint,
        deadline: Option<Instant>,
    ) -> Result<Permit, crate::Refusal> {
        let Some(breakers) = &self.breakers else {
            return Ok(Permit::FREE);
        };
        let now = Instant::now();
        let admitted = breakers.of(endpoint, now).admit(now, deadline);
        admitted.inspect_err(|_| self.meters.refused())
    }

    /// Says once that calls with such bodies are not repeated.
    pub(crate) fn warn_unrepeatable(&self) {
        if !self.told_unrepeatable.swap(true, Ordering::Relaxed) {
            self.meters.warn_unrepeatable();
        }
    }
}
