//! `/sagas`: the instance of an order is named after it, so that an order has one saga, whoever asks and how often.

use crate::{
    ledger::{self, Ledger},
    saga,
};
use berth_sdk::{
    Error, Kind,
    http::{HeaderName, Json, Request, StatusCode, header},
    workflow::{Instance, State},
};
use serde_json::{Value, json};
use shop_kit::{Failure, Order, body, path_id};

/// It was taken, and happens some time later.
type Accepted = (StatusCode, Json<Value>);

/// The same, with its address.
type Created = (StatusCode, [(HeaderName, String); 1], Json<Value>);

/// Starts the saga of an order, or finds it.
pub fn start(request: Request) -> Result<Created, Failure> {
    // An order without an ID could not be asked for again.
    let order = Order::read(&body(&request)?, String::new)?;
    if order.order_id.is_empty() {
        return Err(Failure::invalid("orderId", "orderId is missing"));
    }
    let instance = saga::ORDER.start(&order).once(&order.order_id).send();
    let instance = instance.map_err(refused)?;
    let location = (header::LOCATION, format!("/sagas/{}", instance.id()));
    let (status, answer) = accepted(instance.id());
    Ok((status, [location], answer))
}

/// How far a saga has come.
pub fn show(request: Request) -> Result<Json<Value>, Failure> {
    let order_id = path_id(&request, "orderId")?;
    let found = Instance::of(&order_id).state().map_err(refused)?;
    let unknown = || Failure::not_found(format!("there is no saga of order {order_id}"));
    Ok(Json(report(&found.ok_or_else(unknown)?)))
}

/// Lets a large order go on.
pub fn approve(request: Request) -> Result<Accepted, Failure> {
    let order_id = path_id(&request, "orderId")?;
    let approved = Instance::of(&order_id).raise_once(saga::APPROVED, saga::APPROVED, &());
    approved.map_err(refused)?;
    Ok(accepted(&order_id))
}

/// Asks a saga to stop and undo what it did. One that has ended stays as it is.
pub fn cancel(request: Request) -> Result<Accepted, Failure> {
    let order_id = path_id(&request, "orderId")?;
    let canceled = Instance::of(&order_id).cancel("the customer changed their mind");
    canceled.map_err(refused)?;
    Ok(accepted(&order_id))
}

/// What was done in the world.
pub fn ledger(request: Request) -> Result<Json<Ledger>, Failure> {
    Ok(Json(ledger::read(&path_id(&request, "orderId")?)?))
}

fn accepted(order_id: &str) -> Accepted {
    (
        StatusCode::ACCEPTED,
        Json(json!({ "instanceId": order_id })),
    )
}

fn report(state: &State) -> Value {
    let mut report = json!({
        "orderId": state.instance_id,
        "status": state.status.to_string(),
        "step": state.custom_status,
    });
    if let Ok(result) = state.read_output::<Value>() {
        report["result"] = result;
    }
    if let Some(failure) = &state.failure {
        report["failure"] = json!({ "error": failure.kind, "message": failure.message });
    }
    if let Some(problem) = &state.problem {
        report["problem"] = json!(problem);
    }
    report
}

fn refused(error: Error) -> Failure {
    let message = error.message();
    match error.kind() {
        Kind::NotFound => Failure::not_found(message),
        Kind::Denied => Failure::new(403, "denied", message),
        Kind::Invalid => Failure::invalid("orderId", message),
        Kind::Timeout | Kind::Other => Failure::unavailable(message),
        _ => error.into(),
    }
}
