//! `/sagas`: the instance of an order is named after it, so that an order has one saga, whoever asks and how often.

use crate::{
    from_json, json, ledger, saga,
    wit::berth::workflow::client::{
        self, ConflictPolicy, Error, EventOptions, Instance, ReusePolicy, StartOptions, Status,
        Target,
    },
};
use serde_json::{Value, json as object};
use shop_kit::{Failure, Order, Reply, Request};

/// Starts the saga of an order, or finds it.
pub fn start(request: &Request) -> Result<Reply, Failure> {
    // An order without an ID could not be asked for again.
    let order = Order::read(&request.json()?, String::new)?;
    if order.order_id.is_empty() {
        return Err(Failure::invalid("orderId", "orderId is missing"));
    }
    let options = StartOptions {
        instance_id: Some(order.order_id.clone()),
        app_id: None,
        start_at_ms: None,
        reuse: Some(ReusePolicy::Never),
        conflict: Some(ConflictPolicy::UseExisting),
        metadata: Vec::new(),
    };
    let id = client::start(saga::NAME, &json(&order), &options).map_err(refused)?;
    Ok(Reply::json(202, &object!({ "instanceId": id }))
        .with_header("location", format!("/sagas/{id}")))
}

/// How far a saga has come.
pub fn show(order_id: &str) -> Result<Reply, Failure> {
    let found = client::get(&target(order_id)).map_err(refused)?;
    let found = found.ok_or_else(|| unknown(order_id))?;
    Ok(Reply::json(200, &report(&found)))
}

/// Lets a large order go on.
pub fn approve(order_id: &str) -> Result<Reply, Failure> {
    let options = EventOptions {
        event_id: Some(saga::APPROVED.to_owned()),
        metadata: Vec::new(),
    };
    client::raise_event(&target(order_id), saga::APPROVED, &json(&()), &options)
        .map_err(refused)?;
    Ok(Reply::json(202, &object!({ "instanceId": order_id })))
}

/// Asks a saga to stop and undo what it did. One that has ended stays as it is.
pub fn cancel(order_id: &str) -> Result<Reply, Failure> {
    client::cancel(&target(order_id), "the customer changed their mind").map_err(refused)?;
    Ok(Reply::json(202, &object!({ "instanceId": order_id })))
}

/// What was done in the world.
pub fn ledger(order_id: &str) -> Result<Reply, Failure> {
    Ok(Reply::json(200, &ledger::read(order_id)?))
}

fn target(order_id: &str) -> Target {
    Target {
        instance_id: order_id.to_owned(),
        app_id: None,
    }
}

fn report(instance: &Instance) -> Value {
    let mut report = object!({
        "orderId": instance.instance_id,
        "status": name(instance.status),
        "step": instance.custom_status,
    });
    if let Some(output) = &instance.output {
        report["result"] = from_json(output).unwrap_or_default();
    }
    if let Some(failure) = &instance.failure {
        report["failure"] = object!({ "error": failure.kind, "message": failure.message });
    }
    if let Some(problem) = &instance.problem {
        report["problem"] = object!(problem);
    }
    report
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Running => "running",
        Status::Suspended => "suspended",
        Status::Stalled => "stalled",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Canceled => "canceled",
        Status::Terminated => "terminated",
    }
}

fn unknown(order_id: &str) -> Failure {
    Failure::not_found(format!("there is no saga of order {order_id}"))
}

fn refused(error: Error) -> Failure {
    match error {
        Error::NotFound(text) => Failure::not_found(text),
        Error::Exists(text) | Error::NotAllowed(text) => Failure::conflict(text),
        Error::Denied(text) => Failure::new(403, "denied", text),
        Error::Invalid(text) => Failure::invalid("orderId", text),
        Error::TooLarge(text) => Failure::new(413, "too-large", text),
        Error::Unavailable(text) | Error::Timeout(text) | Error::Other(text) => {
            Failure::unavailable(text)
        }
    }
}
