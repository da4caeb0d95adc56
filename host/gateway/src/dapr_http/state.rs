//! `/v1.0/state`: keys of the caller in a store.

use super::{
    CALL_TIMEOUT, Call, Door, Outcome, body,
    errors::{self, ApiError, StateCall, StateOperation as Asked},
    query::{Query, merged},
    reply,
};
use berth_blocks::{
    DeleteItem, SetItem, State, StateOperation,
    state::{Concurrency, Consistency, Entry, GetOptions, StateError},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::{borrow::Cow, collections::BTreeMap};

type Metadata = BTreeMap<String, String>;

/// `GET /v1.0/state/{store}/{key}`: the bytes that are stored.
pub(super) async fn get(
    door: &Door,
    headers: &HeaderMap,
    store: Cow<'_, str>,
    key: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let call = asked(door, &store, Asked::Get(&key));
    let options = GetOptions {
        consistency: consistency(query.get("consistency").as_deref())
            .map_err(|error| errors::state(&error, call))?,
        metadata: query.metadata(),
    };
    let found = of(door, headers, &store).get(&key, options).await;
    let Some(entry) = found.map_err(|error| errors::state(&error, call))? else {
        return Ok(reply::empty());
    };
    let metadata = entry.metadata();
    let mut response = reply::data(entry.value, entry.content_type.as_deref());
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&entry.etag) {
        headers.insert(header::ETAG, etag);
    }
    reply::add_metadata(headers, &metadata);
    Ok(response)
}

/// What a client wants to store.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'b> {
    #[serde(default)]
    key: String,
    /// Absent: `null` is stored.
    #[serde(borrow)]
    value: Option<&'b RawValue>,
    etag: Option<String>,
    metadata: Option<Metadata>,
    options: Option<ItemOptions>,
    content_type: Option<String>,
}

#[derive(Deserialize)]
struct ItemOptions {
    concurrency: Option<String>,
    consistency: Option<String>,
}

/// `POST /v1.0/state/{store}`: each item on its own.
pub(super) async fn save(
    door: &Door,
    call: Call,
    store: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let asked = asked(door, &store, Asked::Save);
    let state = of(door, &call.head.headers, &store);
    let failed = |error: StateError| errors::state(&error, asked);
    state.check().map_err(failed)?;
    let body = body::read(call, door.body_bytes_max).await;
    let body = body.map_err(errors::malformed)?;
    let items: Option<Vec<Item<'_>>> =
        serde_json::from_slice(&body).map_err(|error| errors::malformed(error.to_string()))?;
    let items = items.unwrap_or_default();
    if items.iter().any(|item| item.key.is_empty()) {
        return Err(errors::malformed("\"key\" is a required field".to_owned()));
    }
    // One key that cannot be stored forbids all of them.
    state
        .check_keys(items.iter().map(|item| item.key.as_str()))
        .map_err(failed)?;
    let over = query.metadata();
    let items = items.into_iter().map(|item| item.set(&body, &over));
    let mut items = items.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    match (items.len(), items.pop()) {
        (_, None) => {}
        (1, Some(only)) => state.set(only).await.map_err(failed)?,
        (_, Some(last)) => {
            items.push(last);
            let refused = state.bulk_set(items).await.map_err(failed)?;
            if !refused.is_empty() {
                return Err(errors::state_saves(&refused, asked));
            }
        }
    }
    Ok(reply::empty())
}

/// `DELETE /v1.0/state/{store}/{key}`, with the etag in `If-Match`.
pub(super) async fn delete(
    door: &Door,
    headers: &HeaderMap,
    store: Cow<'_, str>,
    key: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let call = asked(door, &store, Asked::Delete(&key));
    let failed = |error: StateError| errors::state(&error, call);
    let etag = headers.get(header::IF_MATCH);
    let item = DeleteItem {
        key: key.to_string(),
        etag: etag.map(|etag| String::from_utf8_lossy(etag.as_bytes()).into_owned()),
        concurrency: concurrency(query.get("concurrency").as_deref()).map_err(failed)?,
        consistency: consistency(query.get("consistency").as_deref()).map_err(failed)?,
        metadata: query.metadata(),
    };
    let state = of(door, headers, &store);
    state.delete(item).await.map_err(failed)?;
    Ok(reply::empty())
}

/// Which keys a client wants to read. Stores decide themselves how parallel they read: `parallelism` is not looked at.
#[derive(Deserialize, Default)]
struct BulkGet {
    keys: Option<Vec<String>>,
    metadata: Option<Metadata>,
}

/// A key that was read: nothing but the key if it is not there.
#[derive(Serialize)]
struct Found<'f> {
    key: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'f, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'f str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `POST /v1.0/state/{store}/bulk`: a key that cannot be read does not change the status.
pub(super) async fn bulk_get(
    door: &Door,
    call: Call,
    store: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let asked = asked(door, &store, Asked::BulkGet);
    let state = of(door, &call.head.headers, &store);
    let failed = |error: StateError| errors::state(&error, asked);
    state.check().map_err(failed)?;
    let body = body::read(call, door.body_bytes_max).await;
    let body = body.map_err(|why| errors::malformed_body(&why))?;
    let wanted: BulkGet = parsed(&body)?;
    let keys = wanted.keys.unwrap_or_default();
    state
        .check_keys(keys.iter().map(String::as_str))
        .map_err(failed)?;
    let options = GetOptions {
        consistency: None,
        metadata: merged(wanted.metadata.unwrap_or_default(), &query.metadata()),
    };
    let read = state.bulk_get(keys, options).await.map_err(failed)?;
    let found: Vec<_> = read.iter().map(Found::of).collect();
    Ok(reply::json(&found))
}

impl<'f> Found<'f> {
    fn of((key, read): &'f (String, Result<Option<Entry>, StateError>)) -> Self {
        let mut found = Self {
            key,
            data: None,
            etag: None,
            metadata: Metadata::new(),
            error: None,
        };
        match read {
            Ok(Some(entry)) => {
                found.data = json(&entry.value);
                found.etag = Some(&entry.etag);
                found.metadata = entry.metadata().into_iter().collect();
            }
            Ok(None) => {}
            Err(error) => found.error = Some(error.to_string()),
        }
        found
    }
}

/// A stored value within JSON: as it is where it is JSON, else as a string. Nothing for no bytes, as in Dapr.
fn json(value: &[u8]) -> Option<Cow<'_, RawValue>> {
    if value.is_empty() {
        return None;
    }
    match serde_json::from_slice(value) {
        Ok(json) => Some(Cow::Borrowed(json)),
        Err(_) => to_raw_value(&String::from_utf8_lossy(value))
            .ok()
            .map(Cow::Owned),
    }
}

/// Steps of a transaction.
#[derive(Deserialize, Default)]
struct Transaction<'b> {
    #[serde(borrow)]
    operations: Option<Vec<Step<'b>>>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Step<'b> {
    #[serde(default)]
    operation: String,
    #[serde(borrow)]
    request: Option<&'b RawValue>,
}

/// `POST /v1.0/state/{store}/transaction`: all steps in order, or none.
pub(super) async fn transact(
    door: &Door,
    call: Call,
    store: Cow<'_, str>,
    query: Query<'_>,
) -> Outcome {
    let asked = asked(door, &store, Asked::Transact);
    let state = of(door, &call.head.headers, &store);
    let failed = |error: StateError| errors::state(&error, asked);
    let can = state.capabilities().map_err(failed)?;
    if can.transactions.is_none() {
        return Err(errors::no_transactions(&store));
    }
    let body = body::read(call, door.body_bytes_max).await;
    let body = body.map_err(|why| errors::malformed_body(&why))?;
    let transaction: Transaction<'_> = parsed(&body)?;
    let over = query.metadata();
    let mut steps = Vec::new();
    for step in transaction.operations.unwrap_or_default() {
        let request = step.request.map_or("{}", RawValue::get);
        let item: Item<'_> = serde_json::from_str(request)
            .map_err(|error| errors::malformed_body(&error.to_string()))?;
        let operation = match step.operation.as_str() {
            "upsert" => item.set(&body, &over).map(StateOperation::Set),
            "delete" => item.delete(&over).map(StateOperation::Delete),
            other => return Err(errors::unknown_operation(other)),
        };
        steps.push(operation.map_err(failed)?);
    }
    let metadata = merged(transaction.metadata.unwrap_or_default(), &over);
    state.transact(steps, metadata).await.map_err(failed)?;
    Ok(reply::empty())
}

/// `POST /v1.0-alpha1/state/{store}/query`: no store of berth has queries, which Dapr never stabilised.
pub(super) fn query(door: &Door, headers: &HeaderMap, store: Cow<'_, str>) -> Outcome {
    let asked = asked(door, &store, Asked::BulkGet);
    let state = of(door, headers, &store);
    state
        .check()
        .map_err(|error| errors::state(&error, asked))?;
    Err(errors::no_queries(&store))
}

impl Item<'_> {
    fn set(self, body: &Bytes, over: &[(String, String)]) -> Result<SetItem, StateError> {
        let (concurrency, consistency) = options(self.options.as_ref())?;
        let metadata = merged(self.metadata.unwrap_or_default(), over);
        let noted = metadata.iter().find(|(name, _)| name == "contentType");
        let noted = noted.map(|(_, value)| value.clone());
        Ok(SetItem {
            key: self.key,
            value: match self.value {
                Some(value) => body::compact(value, body),
                None => Bytes::from_static(b"null"),
            },
            etag: self.etag,
            concurrency,
            consistency,
            ttl: None,
            content_type: self.content_type.or(noted),
            metadata,
        })
    }

    fn delete(self, over: &[(String, String)]) -> Result<DeleteItem, StateError> {
        let (concurrency, consistency) = options(self.options.as_ref())?;
        Ok(DeleteItem {
            key: self.key,
            etag: self.etag,
            concurrency,
            consistency,
            metadata: merged(self.metadata.unwrap_or_default(), over),
        })
    }
}

fn options(
    options: Option<&ItemOptions>,
) -> Result<(Option<Concurrency>, Option<Consistency>), StateError> {
    let Some(options) = options else {
        return Ok((None, None));
    };
    Ok((
        concurrency(options.concurrency.as_deref())?,
        consistency(options.consistency.as_deref())?,
    ))
}

fn concurrency(text: Option<&str>) -> Result<Option<Concurrency>, StateError> {
    match text.unwrap_or_default() {
        "" => Ok(None),
        "first-write" => Ok(Some(Concurrency::FirstWrite)),
        "last-write" => Ok(Some(Concurrency::LastWrite)),
        other => Err(StateError::Invalid(format!(
            "unrecognized concurrency {other}: expected `first-write` or `last-write`"
        ))),
    }
}

fn consistency(text: Option<&str>) -> Result<Option<Consistency>, StateError> {
    match text.unwrap_or_default() {
        "" => Ok(None),
        "strong" => Ok(Some(Consistency::Strong)),
        "eventual" => Ok(Some(Consistency::Eventual)),
        other => Err(StateError::Invalid(format!(
            "unrecognized consistency {other}: expected `strong` or `eventual`"
        ))),
    }
}

/// JSON of a body; `null` is the same as nothing.
fn parsed<'b, T: Deserialize<'b> + Default>(body: &'b [u8]) -> Result<T, ApiError> {
    let parsed: Result<Option<T>, _> = serde_json::from_slice(body);
    let parsed = parsed.map_err(|error| errors::malformed_body(&error.to_string()))?;
    Ok(parsed.unwrap_or_default())
}

fn of(door: &Door, headers: &HeaderMap, store: &str) -> State {
    door.blocks
        .state(&door.caller(headers, CALL_TIMEOUT), store)
}

fn asked<'c>(door: &'c Door, store: &'c str, operation: Asked<'c>) -> StateCall<'c> {
    StateCall {
        app: door.app(),
        store,
        operation,
    }
}
