//! Numbers and marks in the state store.

use crate::bindings::berth::state::store::{
    self, Concurrency, Error, GetOptions, Operation, SetOptions, SetRequest, Store,
};

/// The store of this app.
pub fn open() -> Result<Store, Error> {
    store::open("statestore")
}

/// A number and its etag.
pub fn number(store: &Store, key: &str) -> Result<(i64, Option<String>), Error> {
    let found = store.get(
        key,
        &GetOptions {
            consistency: None,
            metadata: Vec::new(),
        },
    )?;
    Ok(match found {
        Some(entry) => {
            let text = String::from_utf8_lossy(&entry.value).into_owned();
            (text.parse().unwrap_or(0), Some(entry.etag))
        }
        None => (0, None),
    })
}

/// Whether there is a key.
pub fn exists(store: &Store, key: &str) -> Result<bool, Error> {
    Ok(number(store, key)?.1.is_some())
}

/// The last write wins.
pub fn last() -> SetOptions {
    SetOptions {
        etag: None,
        concurrency: None,
        consistency: None,
        ttl_seconds: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

/// Only if it is as it was read.
pub fn unchanged(etag: Option<String>) -> SetOptions {
    SetOptions {
        etag,
        concurrency: Some(Concurrency::FirstWrite),
        ..last()
    }
}

/// A write as part of a transaction.
pub fn write(key: &str, value: i64, options: SetOptions) -> Operation {
    Operation::Set(SetRequest {
        key: key.to_owned(),
        value: value.to_string().into_bytes(),
        options,
    })
}

/// Adds to a number once for each mark, however often it is asked.
pub fn add_once(key: &str, amount: i64, mark: &str) -> Result<(), Error> {
    let store = open()?;
    loop {
        if exists(&store, mark)? {
            return Ok(());
        }
        let (number, etag) = number(&store, key)?;
        let steps = [
            write(key, number + amount, unchanged(etag)),
            write(mark, 1, unchanged(None)),
        ];
        match store.transact(&steps, &[]) {
            Err(Error::Conflict(_)) => {}
            done => return done,
        }
    }
}

/// Adds to a number each time.
pub fn add(key: &str, amount: i64) -> Result<(), Error> {
    let store = open()?;
    loop {
        let (number, etag) = number(&store, key)?;
        let value = (number + amount).to_string().into_bytes();
        match store.set(key, &value, &unchanged(etag)) {
            Err(Error::Conflict(_)) => {}
            done => return done,
        }
    }
}
