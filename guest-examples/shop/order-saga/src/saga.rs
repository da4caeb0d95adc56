//! The saga: one step after the other, and back again when one fails.
//!
//! This code may be run again from its beginning, on another day and host: it does nothing but what `context` offers.

use crate::{
    json,
    wit::berth::workflow::{
        context::{self, ActivityOptions, Error, EventOptions, RetryPolicy},
        types::Failure as Failed,
    },
};
use serde_json::{Value, json as object};
use shop_kit::Order;

/// Name of the workflow.
pub const NAME: &str = "order";

/// The event that lets a large order go on.
pub const APPROVED: &str = "approved";

/// From here on somebody has to approve.
const LARGE_CENTS: u64 = 100_000;

/// How long that may take.
const APPROVAL_MS: u64 = 24 * 3600 * 1000;

/// A step that was done, and what undoes it.
struct Done {
    undo: &'static str,
}

/// Takes an order.
///
/// # Errors
/// Why a step failed or the saga was canceled; everything before it is undone, the last step first.
pub fn run(order: &Order) -> Result<Value, Failed> {
    let mut done = Vec::new();
    match steps(order, &mut done) {
        Ok(()) => {
            say("confirmed");
            Ok(object!({ "orderId": order.order_id, "status": "confirmed" }))
        }
        Err(error) => {
            say("undoing");
            for Done { undo } in done.into_iter().rev() {
                call(undo, order, patient()).map_err(failed)?;
            }
            say("undone");
            Err(failed(error))
        }
    }
}

fn steps(order: &Order, done: &mut Vec<Done>) -> Result<(), Error> {
    say("reserving");
    // Before the step: whether it had an effect when it fails is unknown, and undoing nothing is harmless.
    done.push(Done { undo: "release" });
    call("reserve", order, usual())?;
    if order.total_cents >= LARGE_CENTS {
        say("waiting for approval");
        let options = EventOptions {
            timeout_ms: Some(APPROVAL_MS),
            metadata: Vec::new(),
        };
        context::wait_event(APPROVED, &options)?;
    }
    say("paying");
    done.push(Done { undo: "refund" });
    call("pay", order, usual())?;
    say("fulfilling");
    call("fulfil", order, usual())?;
    Ok(())
}

fn call(activity: &str, order: &Order, retry: RetryPolicy) -> Result<(), Error> {
    let options = ActivityOptions {
        retry: Some(retry),
        start_to_close_ms: None,
        app_id: None,
        dispatch: None,
        record_intent: false,
        metadata: Vec::new(),
    };
    context::call_activity(activity, &json(order), &options).map(drop)
}

/// A few attempts; then the order fails, and what was done is undone.
fn usual() -> RetryPolicy {
    RetryPolicy {
        max_attempts: 4,
        first_interval_ms: 200,
        backoff: 2.0,
        max_interval_ms: None,
        total_timeout_ms: None,
        non_retryable: Vec::new(),
    }
}

/// What is to be undone has to be undone, however long it takes.
fn patient() -> RetryPolicy {
    RetryPolicy {
        max_attempts: u32::MAX,
        max_interval_ms: Some(60_000),
        ..usual()
    }
}

fn say(status: &str) {
    // Longer than the host allows it is not.
    let _ = context::set_custom_status(status);
}

fn failed(error: Error) -> Failed {
    let told = |kind: &str, message: String| Failed {
        kind: kind.to_owned(),
        message,
        non_retryable: true,
    };
    match error {
        Error::Failed(failure) => failure,
        Error::Timeout(text) => told("not-approved", text),
        Error::Canceled(text) => told("canceled", text),
        Error::Invalid(text) | Error::TooLarge(text) | Error::Other(text) => {
            told("unexpected", text)
        }
    }
}
