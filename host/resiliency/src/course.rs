//! The course of one call: attempts, what became of them, and what comes next.

use crate::{
    backoff::Pauses,
    breaker::{Permit, Refusal},
    breakers::Endpoint,
    policy::{Ended, Policy},
    tried::{Ending, Tried},
};
use std::time::Duration;
use tokio::time::Instant;

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another one, after this pause.
    After(Duration),
    /// None; why.
    End(Ending),
}

/// One call under a policy, step by step: [`admit`](Self::admit), an attempt, [`ended`](Self::ended), perhaps a pause.
#[derive(Debug)]
pub struct Course<'p> {
    policy: &'p Policy,
    endpoint: Endpoint,
    deadline: Option<Instant>,
    pauses: Option<Pauses<'p>>,
    /// Of the first attempt; calls that succeed at once need no clock.
    began: Option<Instant>,
    tried: Tried,
}

impl<'p> Course<'p> {
    pub(crate) fn new(policy: &'p Policy, endpoint: Endpoint, deadline: Option<Instant>) -> Self {
        let pauses = policy.retries.as_ref();
        let pauses = pauses.map(|retries| Pauses::new(&retries.policy));
        let began = pauses.is_some().then(Instant::now);
        Self {
            policy,
            endpoint,
            deadline,
            pauses,
            began,
            tried: Tried::default(),
        }
    }

    /// Asks the circuit breaker for leave to make an attempt.
    ///
    /// # Errors
    /// Why none may be made now. As in Dapr this ends the call, whatever retries are left.
    pub fn admit(&self) -> Result<Permit, Refusal> {
        let permit = self.policy.admit(self.endpoint, self.deadline)?;
        if self.tried.attempts() > 0 {
            self.policy.meters.retried();
        }
        Ok(permit)
    }

    /// Whether an attempt after the one that begins now is possible at all.
    #[must_use]
    pub fn may_repeat(&self) -> bool {
        self.pauses.as_ref().is_some_and(Pauses::more)
    }

    /// Notes the end of an attempt. `reason` is asked for only if it failed.
    pub fn ended(&mut self, permit: Permit, ended: Ended, reason: impl FnOnce() -> String) -> Next {
        permit.settle(ended.health());
        if let Ended::Answered | Ended::Refused = ended {
            return Next::End(Ending::NotRetried);
        }
        self.tried.fail(&reason());
        let retries = self.policy.retries.as_ref();
        let Some(pauses) = self.pauses.as_mut() else {
            return Next::End(Ending::NotRetried);
        };
        if !retries.is_some_and(|retries| retries.are_for(ended)) {
            return Next::End(Ending::NotRetried);
        }
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.began.unwrap_or(now));
        let Some(pause) = pauses.next(elapsed, (self.policy.jitter)()) else {
            return Next::End(Ending::Exhausted);
        };
        if self
            .deadline
            .is_some_and(|deadline| now + pause >= deadline)
        {
            return Next::End(Ending::OutOfTime);
        }
        Next::After(pause)
    }

    /// Notes that an attempt was given up at the policy's own limit.
    pub fn timed_out(&self) {
        self.policy.meters.timed_out();
    }

    /// What was tried, once the call has ended.
    #[must_use]
    pub fn finish(mut self, ending: Ending) -> Tried {
        let began = self.began.take();
        let elapsed = began.map_or(Duration::ZERO, |began| began.elapsed());
        self.tried.end(ending, elapsed);
        self.tried
    }
}
