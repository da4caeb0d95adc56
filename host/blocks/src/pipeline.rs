//! The one place where policies meet a call: every call of every door to every backend or app runs through it.
//!
//! ```text
//! span ( metric, log ( deadline ( retry ( circuit breaker ( timeout ( who may ( backend )))))))
//! ```
//!
//! Who may is evaluated once per app and backend (a `Grant`) and asked when a call is prepared. A refusal is the outcome of
//! its only attempt, so that it is counted and traced like any other; it says nothing about the backend, and no policy
//! tries it again.
//!
//! Only what another attempt may cure is tried again: unavailable and timeout. A write that timed out may have happened
//! nevertheless; it is repeated because the policy of an operator says so, and only then.

mod calls;
mod errors;
mod judges;
mod operations;

pub(crate) use calls::Calls;
pub(crate) use errors::{BackendError, BlockError};
pub(crate) use judges::{ByAnswer, ByOutcome};
pub(crate) use operations::{Operation, Outcome};

use crate::{backend::Grant, invocation::Target};
use berth_resiliency::{
    Endpoint, Input, Judge, Last, Late, Policy, Repeated, Stopped, attempt, run,
};
use berth_telemetry::trace::Span;
use std::{
    fmt,
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

/// Whom a call goes to, as messages say it.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'c> {
    Backend,
    App(&'c Target),
    /// The engine of the namespace.
    Workflows,
    /// The target is not one.
    NoApp,
}

/// One call.
pub(crate) struct Call<'c> {
    pub(crate) calls: &'c Calls,
    pub(crate) subject: Subject<'c>,
    pub(crate) operation: Operation,
    /// Of the call as a whole, its attempts included.
    pub(crate) span: Span,
    /// The caller's own: what comes after it nobody waits for.
    pub(crate) deadline: Instant,
    pub(crate) policy: Option<&'c Policy>,
    pub(crate) endpoint: Endpoint,
}

/// Runs one call to a backend under every policy. `work` is one attempt; its input is cloned if there may be several.
///
/// Not an `async fn`, like those that call it: each would move the input once more.
pub(crate) fn call<I: Clone, T, E: BlockError, F>(
    grant: &Grant,
    operation: Operation,
    (span, deadline): (Span, Instant),
    input: I,
    work: impl Fn(I) -> F,
) -> impl Future<Output = Result<T, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let call = Call {
        calls: &grant.calls,
        subject: Subject::Backend,
        operation,
        span,
        deadline,
        policy: grant.outbound.as_deref(),
        endpoint: Endpoint::WHOLE,
    };
    let work = move |Repeated(input)| work(input);
    call.run(Repeated(input), work, &ByOutcome)
}

impl Call<'_> {
    /// Runs it under every policy.
    pub(crate) async fn run<I: Input, T, E: BlockError, F>(
        self,
        input: I,
        work: impl Fn(I) -> F,
        judge: &impl Judge<T, E>,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let Self {
            calls, operation, ..
        } = self;
        let started = Instant::now();
        let deadline = self.deadline.into();
        let answer = match self.policy {
            None => {
                let answer = attempt(work(input), None, Some(deadline)).await;
                answer.unwrap_or_else(|late| Err(self.late(late)))
            }
            Some(policy) => {
                let attempts = AtomicU32::new(0);
                let work = |input| {
                    attempts.fetch_add(1, Ordering::Relaxed);
                    work(input)
                };
                // Most calls have no policy: theirs need not be as large, and be moved, as those that have.
                let answer = Box::pin(run(policy, self.endpoint, deadline, input, work, judge));
                let answer = answer.await;
                let attempts = attempts.into_inner();
                if attempts != 1 {
                    self.span.set("berth.attempts", attempts);
                }
                answer.map_err(|stopped| self.stopped(stopped))
            }
        };
        let outcome = answer
            .as_ref()
            .map_or_else(BlockError::outcome, |_| Outcome::Ok);
        calls.record(operation, outcome, started.elapsed());
        if outcome != Outcome::Ok {
            // The error's text may hold keys and values of the application.
            self.span.fail(outcome.name(), || outcome.name().to_owned());
        }
        if let Err(error) = &answer
            && outcome.is_fault()
        {
            calls.faults.log(calls, operation, error);
        }
        answer
    }

    fn late<E: BlockError>(&self, late: Late) -> E {
        let operation = self.operation.name();
        E::timeout(format!("{self}: {operation} had {late}"))
    }

    /// The error at the end, which says what was tried.
    fn stopped<E: BlockError>(&self, stopped: Stopped<E>) -> E {
        let Stopped { last, tried } = stopped;
        let told = match tried.attempts() {
            0 => format!("{self}: {tried}"),
            _ => format!("{self}: {} {tried}", self.operation.name()),
        };
        match last {
            Last::Error(error) if tried.is_worth_telling() => error.retold(told),
            Last::Error(error) => error,
            Last::Late(_) if tried.is_worth_telling() => E::timeout(told),
            Last::Late(late) => self.late(late),
            Last::Refused => E::unavailable(told),
        }
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject {
            Subject::Backend => {
                let Calls { block, backend, .. } = self.calls;
                write!(f, "{} \"{backend}\"", block.noun())
            }
            Subject::App(target) => write!(f, "app \"{}\"", target.app),
            Subject::Workflows => f.write_str("workflows"),
            Subject::NoApp => f.write_str("invocation"),
        }
    }
}
