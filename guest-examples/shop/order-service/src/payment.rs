//! The payment, or as much of it as an example needs.

use crate::wit::berth::secrets::store::{self, Error, GetOptions};
use shop_kit::Failure;

const STORE: &str = "secretstore";
const SECRET: &str = "stripe-secret-key";

/// Makes sure that an order could be paid. A real shop would now send the amount and the key to
/// `https://api.stripe.com`, which its manifest would have to allow; this one only reads the key.
pub fn check() -> Result<(), Failure> {
    let options = GetOptions {
        metadata: Vec::new(),
    };
    let secret = store::get(STORE, SECRET, &options).map_err(unreadable)?;
    // A store of environment variables answers an unset one with an empty value.
    if secret.values.iter().any(|(_, value)| !value.is_empty()) {
        Ok(())
    } else {
        Err(missing("it is empty"))
    }
}

fn unreadable(error: Error) -> Failure {
    match error {
        Error::NotFound(text) | Error::Denied(text) | Error::Invalid(text) => missing(&text),
        Error::Unavailable(text)
        | Error::Timeout(text)
        | Error::TooLarge(text)
        | Error::Other(text) => {
            Failure::unavailable(format!("the secret store {STORE} cannot be read: {text}"))
        }
    }
}

fn missing(reason: &str) -> Failure {
    Failure::new(
        503,
        "secret-missing",
        format!("no order can be paid without the secret {SECRET} of {STORE}: {reason}"),
    )
}
