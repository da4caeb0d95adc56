//! `/v1.0/secrets`

use super::{CALL_TIMEOUT, Door, Outcome, errors, query::Query, reply};
use berth_blocks::secrets::SecretFields;
use http::HeaderMap;
use std::{borrow::Cow, collections::BTreeMap};

/// `GET /v1.0/secrets/{store}/{name}`: the fields of one secret.
pub(super) async fn get(
    door: &Door,
    headers: &HeaderMap,
    store: Cow<'_, str>,
    name: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let secrets = door
        .blocks
        .secrets(&door.caller(headers, CALL_TIMEOUT), &store);
    // Tells a store that is not there from a secret that is not there.
    secrets
        .check()
        .map_err(|error| errors::secret_store(error, &store))?;
    let fields = secrets.get(&name, query.metadata()).await;
    let fields = fields.map_err(|error| errors::secret(error, &store, &name))?;
    if fields.is_empty() {
        return Ok(reply::empty());
    }
    Ok(reply::json(&revealed(&fields)))
}

/// `GET /v1.0/secrets/{store}/bulk`: every secret that the caller may read.
pub(super) async fn bulk(
    door: &Door,
    headers: &HeaderMap,
    store: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let secrets = door
        .blocks
        .secrets(&door.caller(headers, CALL_TIMEOUT), &store);
    secrets
        .check()
        .map_err(|error| errors::secret_store(error, &store))?;
    let all = secrets.bulk(query.metadata()).await;
    let all = all.map_err(|error| errors::secrets(error, &store))?;
    let all: BTreeMap<&str, _> = all
        .iter()
        .map(|(name, fields)| (name.as_str(), revealed(fields)))
        .collect();
    Ok(reply::json(&all))
}

fn revealed(fields: &SecretFields) -> BTreeMap<&str, &str> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.as_str(), value.reveal()))
        .collect()
}
