//! `berth:secrets`.

use super::{Check, Outcome, Run, done, expect, refused};
use crate::bindings::berth::secrets::store::{self, Error, GetOptions, Secret};

pub const CHECKS: &[Check] = &[
    ("secrets.get", get),
    ("secrets.get-unknown", get_unknown),
    ("secrets.get-unknown-store", get_unknown_store),
    ("secrets.get-bulk", get_bulk),
];

const STORE: &str = "secretstore";
const NAME: &str = "contract-secret";
const OPTIONS: GetOptions = GetOptions {
    metadata: Vec::new(),
};

fn holds_the_value(secret: &Secret) -> bool {
    secret.name == NAME
        && secret
            .values
            .iter()
            .any(|(field, value)| field == NAME && value == "s3cret")
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::NotFound(_))
}

fn get(_: &Run) -> Outcome {
    let secret = done(store::get(STORE, NAME, &OPTIONS))?;
    expect(holds_the_value(&secret), || format!("{secret:?}"))
}

fn get_unknown(_: &Run) -> Outcome {
    refused(store::get(STORE, "no-such-secret", &OPTIONS), is_not_found)
}

fn get_unknown_store(_: &Run) -> Outcome {
    refused(store::get("no-such-store", NAME, &OPTIONS), is_not_found)
}

fn get_bulk(_: &Run) -> Outcome {
    let secrets = done(store::get_bulk(STORE, &OPTIONS))?;
    // The names alone: the store may hold secrets of others.
    let names: Vec<_> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    expect(secrets.iter().any(holds_the_value), || format!("{names:?}"))
}
