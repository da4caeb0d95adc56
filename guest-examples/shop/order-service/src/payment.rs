//! The payment, or as much of it as an example needs.

use berth_sdk::{Error, Kind, secrets};
use shop_kit::Failure;

const STORE: &str = "secretstore";
const SECRET: &str = "stripe-secret-key";

/// Makes sure that an order could be paid. A real shop would now send the amount and the key to
/// `https://api.stripe.com`, which its manifest would have to allow; this one only reads the key.
pub fn check() -> Result<(), Failure> {
    // A store of environment variables answers an unset one with an empty value.
    match secrets::get(STORE, SECRET) {
        Ok(key) if !key.is_empty() => Ok(()),
        Ok(_) => Err(missing("it is empty")),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &Error) -> Failure {
    match error.kind() {
        Kind::NotFound | Kind::Denied | Kind::Invalid => missing(error.message()),
        _ => Failure::unavailable(format!("the secret store {STORE} cannot be read: {error}")),
    }
}

fn missing(reason: &str) -> Failure {
    Failure::new(
        503,
        "secret-missing",
        format!("no order can be paid without the secret {SECRET} of {STORE}: {reason}"),
    )
}
