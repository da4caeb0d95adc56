//! Secrets, from the stores that the operator configured and within the scopes that the operator set.
//!
//! ```no_run
//! # fn main() -> berth_sdk::Result<()> {
//! let key = berth_sdk::secrets::get("secretstore", "stripe-secret-key")?;
//! let database = berth_sdk::secrets::fields("vault", "database")?;
//! let user = &database["user"];
//! # let _ = (key, user); Ok(()) }
//! ```

use crate::{Error, Kind, Result, bindings::imports::berth::secrets::store};
use std::collections::BTreeMap;

/// The value of a secret that has one.
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::Denied`], or the store fails; [`Kind::Malformed`] if it has several fields.
pub fn get(store: &str, name: &str) -> Result<String> {
    let mut fields = fields(store, name)?;
    if let Some(value) = fields.remove(name) {
        return Ok(value);
    }
    match fields.len() {
        1 => Ok(fields.into_values().next().unwrap_or_default()),
        several => Err(Error::new(
            Kind::Malformed,
            format!(
                "the secret `{name}` of {store} has {several} fields, none of them named like it"
            ),
        )),
    }
}

/// All fields of a secret.
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::Denied`], or the store fails.
pub fn fields(store: &str, name: &str) -> Result<BTreeMap<String, String>> {
    Ok(fields_of(store::get(store, name, &options())?))
}

/// All secrets of a store that this app may read, by their names.
///
/// # Errors
/// The store fails, or cannot list.
pub fn all(store: &str) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let secrets = store::get_bulk(store, &options())?;
    let named = |secret: store::Secret| (secret.name.clone(), fields_of(secret));
    Ok(secrets.into_iter().map(named).collect())
}

fn fields_of(secret: store::Secret) -> BTreeMap<String, String> {
    secret.values.into_iter().collect()
}

fn options() -> store::GetOptions {
    store::GetOptions {
        metadata: Vec::new(),
    }
}
