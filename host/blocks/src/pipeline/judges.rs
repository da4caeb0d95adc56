//! What the result of an attempt says about its target.

use super::{BlockError, Outcome};
use crate::invocation::InvokeError;
use berth_resiliency::{Code, Ended, Judge};
use http::Response;
use std::fmt::Display;

/// Calls to backends, by the kind of their errors.
pub(crate) struct ByOutcome;

impl<T, E: BlockError> Judge<T, E> for ByOutcome {
    fn ended(&self, result: &Result<T, E>) -> Ended {
        match result {
            Ok(_) => Ended::Answered,
            Err(error) => of_outcome(error.outcome()),
        }
    }

    fn reason(&self, result: &Result<T, E>) -> String {
        reason(result)
    }
}

fn of_outcome(outcome: Outcome) -> Ended {
    match outcome {
        Outcome::Ok | Outcome::NotFound | Outcome::Conflict => Ended::Answered,
        // Often refused before the backend was asked.
        Outcome::Denied | Outcome::Invalid | Outcome::Unsupported | Outcome::TooLarge => {
            Ended::Refused
        }
        Outcome::Unavailable => Ended::Failed(Code::UNAVAILABLE),
        Outcome::Timeout => Ended::Failed(Code::TIMEOUT),
        Outcome::Other => Ended::Broken,
    }
}

/// Calls to apps: an answer counts as a failure if its status says so, and is nevertheless an answer.
pub(crate) struct ByAnswer;

impl<B> Judge<Response<B>, InvokeError> for ByAnswer {
    fn ended(&self, result: &Result<Response<B>, InvokeError>) -> Ended {
        match result {
            Ok(answer) => of_status(answer.status().as_u16()),
            // It may appear yet, but not for an attempt of the same moment; a guest must not open a breaker this way.
            Err(InvokeError::NotFound(_)) => Ended::Refused,
            Err(InvokeError::Undelivered(_)) => Ended::Undelivered(Code::UNAVAILABLE),
            Err(error) => of_outcome(error.outcome()),
        }
    }

    fn reason(&self, result: &Result<Response<B>, InvokeError>) -> String {
        match result {
            Ok(answer) => format!("it answered with status {}", answer.status().as_u16()),
            Err(_) => reason(result),
        }
    }
}

/// As in Dapr, whatever is neither a success nor a redirection is a failure.
fn of_status(status: u16) -> Ended {
    match status {
        200..=399 => Ended::Answered,
        _ => Ended::Failed(Code::Http(status)),
    }
}

fn reason<T, E: Display>(result: &Result<T, E>) -> String {
    let error = result.as_ref().err();
    error.map(ToString::to_string).unwrap_or_default()
}
