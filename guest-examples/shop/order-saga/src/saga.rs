//! The saga: one step after the other, and back again when one fails.
//!
//! This code may be run again from its beginning, on another day and host: it does nothing but what its context offers.

use crate::activities::{FULFIL, PAY, REFUND, RELEASE, RESERVE};
use berth_sdk::workflow::{Activity, Context, Error, Failure as Failed, RetryPolicy, Workflow};
use serde::{Deserialize, Serialize};
use shop_kit::Order;
use std::time::Duration;

/// The workflow.
pub const ORDER: Workflow<Order, Confirmed> = Workflow::named("order");

/// The event that lets a large order go on.
pub const APPROVED: &str = "approved";

/// From here on somebody has to approve.
const LARGE_CENTS: u64 = 100_000;

/// How long that may take.
const APPROVAL_TIME: Duration = Duration::from_secs(24 * 3600);

/// What comes of an order that goes through.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    order_id: String,
    status: String,
}

/// Takes an order.
///
/// # Errors
/// Why a step failed or the saga was canceled; everything before it is undone, the last step first.
pub fn run(ctx: &Context, order: Order) -> Result<Confirmed, Failed> {
    let mut undo = Vec::new();
    match steps(ctx, &order, &mut undo) {
        Ok(()) => {
            ctx.set_status("confirmed");
            let status = "confirmed".to_owned();
            Ok(Confirmed {
                order_id: order.order_id,
                status,
            })
        }
        Err(error) => {
            ctx.set_status("undoing");
            for activity in undo.into_iter().rev() {
                ctx.activity(activity, &order).retry(patient()).call()?;
            }
            ctx.set_status("undone");
            Err(failed(error))
        }
    }
}

/// Puts into `undo` what a step needs before it begins: whether one had an effect when it fails is unknown, and undoing
/// nothing is harmless.
fn steps(ctx: &Context, order: &Order, undo: &mut Vec<Activity<Order, ()>>) -> Result<(), Error> {
    let step = |activity| ctx.activity(activity, order).retry(usual()).call();
    ctx.set_status("reserving");
    undo.push(RELEASE);
    step(RESERVE)?;
    if order.total_cents >= LARGE_CENTS {
        ctx.set_status("waiting for approval");
        ctx.event::<()>(APPROVED).timeout(APPROVAL_TIME).wait()?;
    }
    ctx.set_status("paying");
    undo.push(REFUND);
    step(PAY)?;
    ctx.set_status("fulfilling");
    step(FULFIL)
}

/// A few attempts; then the order fails, and what was done is undone.
fn usual() -> RetryPolicy {
    RetryPolicy::attempts(4).first_interval(Duration::from_millis(200))
}

/// What is to be undone has to be undone, however long it takes.
fn patient() -> RetryPolicy {
    RetryPolicy::forever()
        .first_interval(Duration::from_millis(200))
        .max_interval(Duration::from_secs(60))
}

fn failed(error: Error) -> Failed {
    match error {
        Error::Timeout(message) => Failed::new("not-approved", message).last(),
        error => error.into(),
    }
}
