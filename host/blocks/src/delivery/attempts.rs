//! The attempts to deliver one message, under the inbound policy of its backend.

use super::DeliveryOutcome;
use berth_resiliency::{
    Code, Course, Ended, Ending, Endpoint, Late, Next, Permit, Policy, Refusal,
};
use std::time::Duration;

/// Attempts so far. Without a policy there is one.
pub(super) struct Attempts<'p>(Option<Course<'p>>);

impl<'p> Attempts<'p> {
    pub(super) fn new(policy: Option<&'p Policy>) -> Self {
        Self(policy.map(|policy| policy.begin(Endpoint::WHOLE, None)))
    }

    /// Whether there may be another attempt after the next one.
    pub(super) fn may_repeat(&self) -> bool {
        self.0.as_ref().is_some_and(Course::may_repeat)
    }

    /// Asks the circuit breaker. `None`: there is nobody to ask.
    pub(super) fn admit(&self) -> Result<Option<Permit>, Refusal> {
        self.0.as_ref().map(Course::admit).transpose()
    }

    /// Notes how an attempt ended; gives the pause before the next one, if there is to be one.
    pub(super) fn ended(
        &mut self,
        permit: Option<Permit>,
        answer: &Result<DeliveryOutcome, Late>,
    ) -> Option<Duration> {
        let (course, permit) = (self.0.as_mut()?, permit?);
        if answer.is_err() {
            course.timed_out();
        }
        match course.ended(permit, ended(answer), || reason(answer)) {
            Next::After(pause) => Some(pause),
            Next::End(_) => None,
        }
    }

    /// What was tried before the circuit breaker refused; `None`: nothing.
    pub(super) fn tried(self, refusal: Refusal) -> Option<String> {
        let tried = self.0?.finish(Ending::Refused(refusal));
        (tried.attempts() > 0).then(|| tried.to_string())
    }
}

fn ended(answer: &Result<DeliveryOutcome, Late>) -> Ended {
    match answer {
        // An app that drops a message works.
        Ok(DeliveryOutcome::Success | DeliveryOutcome::Drop(_)) => Ended::Answered,
        Ok(DeliveryOutcome::Busy) => Ended::Refused,
        Ok(DeliveryOutcome::Retry(_)) => Ended::Failed(Code::None),
        Ok(DeliveryOutcome::Failed { status, .. }) => Ended::Failed(Code::Http(*status)),
        Err(_) => Ended::Failed(Code::TIMEOUT),
    }
}

fn reason(answer: &Result<DeliveryOutcome, Late>) -> String {
    match answer {
        Ok(DeliveryOutcome::Retry(reason) | DeliveryOutcome::Failed { reason, .. }) => {
            reason.clone()
        }
        Ok(_) => String::new(),
        Err(late) => late.to_string(),
    }
}
