//! Calls to the state store. The store is opened and the key is there before the clock starts.

use crate::bindings::berth::state::store::{self, Error, GetOptions, SetOptions, Store};
use std::time::Instant;

const KEY: &str = "order-17";
const VALUE: &[u8] = br#"{"orderId":"17","customerId":"ada","totalCents":1250}"#;

pub fn get(times: u32) -> Result<u128, String> {
    let store = prepared().map_err(text)?;
    let began = Instant::now();
    for _ in 0..times {
        let entry = store.get(KEY, &get_options()).map_err(text)?;
        if entry.is_none() {
            return Err(format!("{KEY} is gone"));
        }
    }
    Ok(began.elapsed().as_nanos())
}

pub fn set(times: u32) -> Result<u128, String> {
    let store = prepared().map_err(text)?;
    let began = Instant::now();
    for _ in 0..times {
        store.set(KEY, VALUE, &set_options()).map_err(text)?;
    }
    Ok(began.elapsed().as_nanos())
}

fn prepared() -> Result<Store, Error> {
    let store = store::open("statestore")?;
    store.set(KEY, VALUE, &set_options())?;
    Ok(store)
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
