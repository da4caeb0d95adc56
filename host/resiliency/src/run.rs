//! A whole call under a policy.

use crate::{
    breakers::Endpoint,
    course::{Course, Next},
    policy::{Code, Ended, Policy},
    tried::{Ending, Tried},
};
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::{
    task::unconstrained,
    time::{Instant, sleep_until},
};

/// What an attempt consumes, and how to have it for another one.
pub trait Input: Sized {
    /// The same once more. Asked for before an attempt, and only if another may follow.
    fn spare(&mut self) -> Self;

    /// Whether a spare holds everything after the attempt took what it took: a body that streams may be too long to be
    /// kept.
    fn is_whole(&self) -> bool {
        true
    }
}

/// An input that is cloned for each attempt but the last.
#[derive(Debug, Clone)]
pub struct Repeated<T>(pub T);

impl<T: Clone> Input for Repeated<T> {
    fn spare(&mut self) -> Self {
        self.clone()
    }
}

/// Says what the result of an attempt means.
pub trait Judge<T, E> {
    /// How the attempt ended.
    fn ended(&self, result: &Result<T, E>) -> Ended;

    /// Why it failed, in words.
    fn reason(&self, result: &Result<T, E>) -> String;
}

/// Why an attempt has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// The policy's limit of one attempt has passed.
    Timeout(Duration),
    /// The deadline of the call has passed.
    Deadline,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Deadline => f.write_str("no answer before the deadline of the call"),
        }
    }
}

/// How the last attempt of a call that has no result ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Last<E> {
    /// With an error.
    Error(E),
    /// Not in time.
    Late(Late),
    /// It was not made: the circuit breaker let nothing through.
    Refused,
}

/// A call that has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped<E> {
    /// The last attempt.
    pub last: Last<E>,
    /// All of them.
    pub tried: Tried,
}

/// Runs a call under a policy: retry ( circuit breaker ( timeout ( attempt ))). An answer that counts as a failure is
/// nevertheless the result if it is the last one.
///
/// The future of an attempt that is late is dropped. Whether a write had an effect is then unknown; it is repeated only
/// because the policy says so.
///
/// # Errors
/// How the last attempt ended, and what was tried.
pub async fn run<I, T, E, F>(
    policy: &Policy,
    endpoint: Endpoint,
    deadline: Instant,
    mut input: I,
    work: impl Fn(I) -> F,
    judge: &impl Judge<T, E>,
) -> Result<T, Stopped<E>>
where
    I: Input,
    F: Future<Output = Result<T, E>>,
{
    let mut course = policy.begin(endpoint, Some(deadline));
    loop {
        let permit = match course.admit() {
            Ok(permit) => permit,
            Err(refusal) => return Err(stopped(course, Last::Refused, Ending::Refused(refusal))),
        };
        let spare = course.may_repeat().then(|| input.spare());
        let outcome = attempt(work(input), policy.timeout(), Some(deadline)).await;
        let next = match &outcome {
            Ok(result) => course.ended(permit, judge.ended(result), || judge.reason(result)),
            Err(late @ Late::Timeout(_)) => {
                course.timed_out();
                course.ended(permit, Ended::Failed(Code::TIMEOUT), || late.to_string())
            }
            Err(late @ Late::Deadline) => course.ended(permit, Ended::Broken, || late.to_string()),
        };
        let ending = match (next, spare.filter(Input::is_whole)) {
            (Next::After(pause), Some(spare)) => {
                // An answer may hold resources of the target, which it needs meanwhile.
                drop(outcome);
                tokio::time::sleep(pause).await;
                input = spare;
                continue;
            }
            (Next::After(_), None) => {
                policy.warn_unrepeatable();
                Ending::Unrepeatable
            }
            (Next::End(ending), _) => ending,
        };
        return match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(stopped(course, Last::Error(error), ending)),
            Err(late) => Err(stopped(course, Last::Late(late), ending)),
        };
    }
}

fn stopped<E>(course: Course<'_>, last: Last<E>, ending: Ending) -> Stopped<E> {
    let tried = course.finish(ending);
    Stopped { last, tried }
}

/// Waits for one attempt, at most until its limit or the deadline, whichever comes first.
///
/// # Errors
/// Which of the two has passed.
pub async fn attempt<F: Future>(
    work: F,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
) -> Result<F::Output, Late> {
    let mut work = pin!(work);
    let limit = || {
        let limit = timeout.map(|timeout| (Instant::now() + timeout, Late::Timeout(timeout)));
        let deadline = deadline.map(|deadline| (deadline, Late::Deadline));
        // Of two that pass together it is the deadline: no time is left for another attempt.
        deadline.into_iter().chain(limit).min_by_key(|(at, _)| *at)
    };
    // What answers at once needs no timer.
    let mut armed = None;
    let mut timer = pin!(None);
    poll_fn(|context| {
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        if armed.is_none() {
            armed = Some(limit().map(|(at, late)| {
                // Work that uses up the budget of its task each time is late nevertheless.
                timer.set(Some(unconstrained(sleep_until(at))));
                late
            }));
        }
        match (armed.flatten(), timer.as_mut().as_pin_mut()) {
            (Some(late), Some(timer)) => timer.poll(context).map(|()| Err(late)),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, future::pending};

    #[tokio::test(start_paused = true)]
    async fn work_that_waits_is_polled_when_it_begins_and_when_the_time_is_over() {
        let polls = Cell::new(0);
        let work = poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        });
        let second = Duration::from_secs(1);
        let late = attempt(work, None, Some(Instant::now() + second)).await;
        assert_eq!((late, polls.get()), (Err(Late::Deadline), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_limit_and_a_deadline_the_first_counts() {
        let second = Duration::from_secs(1);
        for (deadline, late) in [
            (second * 2, Late::Timeout(second)),
            (second, Late::Deadline),
            (second / 2, Late::Deadline),
        ] {
            let deadline = Instant::now() + deadline;
            let waited = attempt(pending::<()>(), Some(second), Some(deadline)).await;
            assert_eq!(waited, Err(late));
        }
    }
}
