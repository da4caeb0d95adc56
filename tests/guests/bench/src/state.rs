//! Calls to the state store. The store is opened and the keys are made before the clock starts.

use crate::Loop;
use crate::bindings::berth::state::store::{self, Error, GetOptions, SetOptions, Store};
use std::time::Instant;

const VALUE: &[u8] = br#"{"orderId":"17","customerId":"ada","totalCents":1250}"#;
/// Keys that there are.
const KEYS: u32 = 2048;
/// Keys that one loop uses.
const WINDOW: u32 = 64;

pub fn get(calls: &Loop) -> Result<u128, String> {
    repeat(calls, |store, key| {
        let entry = store.get(key, &get_options()).map_err(text)?;
        entry.map(|_| ()).ok_or(format!("{key} is missing"))
    })
}

pub fn set(calls: &Loop) -> Result<u128, String> {
    repeat(calls, |store, key| {
        store.set(key, VALUE, &set_options()).map_err(text)
    })
}

/// Gives every key its value.
pub fn fill() -> Result<u128, String> {
    let store = store::open("statestore").map_err(text)?;
    let began = Instant::now();
    for number in 0..KEYS {
        store
            .set(&key(number), VALUE, &set_options())
            .map_err(text)?;
    }
    Ok(began.elapsed().as_nanos())
}

fn repeat(calls: &Loop, call: impl Fn(&Store, &str) -> Result<(), String>) -> Result<u128, String> {
    let store = store::open("statestore").map_err(text)?;
    let keys: Vec<_> = (0..WINDOW).map(|next| key(calls.from + next)).collect();
    let began = Instant::now();
    for (_, key) in (0..calls.times).zip(keys.iter().cycle()) {
        call(&store, key)?;
    }
    Ok(began.elapsed().as_nanos())
}

fn key(number: u32) -> String {
    format!("order-{}", number % KEYS)
}

fn get_options() -> GetOptions {
    GetOptions {
        consistency: None,
        metadata: Vec::new(),
    }
}

fn set_options() -> SetOptions {
    SetOptions {
        etag: None,
        concurrency: None,
        consistency: None,
        ttl_seconds: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

fn text(error: Error) -> String {
    format!("{error:?}")
}
