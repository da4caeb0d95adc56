//! JSON documents in a state store, over `berth:state/store`.

use crate::{
    Failure,
    wit::berth::state::store::{
        self, Concurrency, Error, GetOptions, Operation, SetOptions, SetRequest, Store,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// A state store whose values are JSON.
pub struct Documents {
    store: Store,
}

/// A value and the version in which it was read.
#[derive(Debug)]
pub struct Document<T> {
    /// What was stored.
    pub value: T,
    /// Changes with every write; see [`if_unchanged`].
    pub etag: String,
}

impl Documents {
    /// The store with this name, as its YAML document says.
    pub fn open(name: &str) -> Result<Self, Error> {
        store::open(name).map(|store| Self { store })
    }

    /// The document of a key, or nothing if there is none.
    pub fn find<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Document<T>>, Failure> {
        let entry = self.store.get(key, &GetOptions::default())?;
        entry.map(|entry| read(key, &entry)).transpose()
    }

    /// Many documents at once, in the order of the keys.
    pub fn find_all<T: DeserializeOwned>(
        &self,
        keys: &[String],
    ) -> Result<Vec<Option<Document<T>>>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.store.bulk_get(keys, &GetOptions::default())?;
        found
            .into_iter()
            .map(|found| match (found.entry, found.error) {
                (_, Some(error)) => Err(error.into()),
                (entry, None) => entry.map(|entry| read(&found.key, &entry)).transpose(),
            })
            .collect()
    }

    /// Writes one document.
    pub fn save(
        &self,
        key: &str,
        value: &impl Serialize,
        options: SetOptions,
    ) -> Result<(), Error> {
        self.store.set(key, &json(value), &options)
    }

    /// Writes all of [`Documents::change`]s, or none.
    pub fn save_together(&self, changes: &[Operation]) -> Result<(), Error> {
        self.store.transact(changes, &[])
    }

    /// One write of [`Documents::save_together`].
    pub fn change(key: &str, value: &impl Serialize, options: SetOptions) -> Operation {
        Operation::Set(SetRequest {
            key: key.to_owned(),
            value: json(value),
            options,
        })
    }

    /// The store itself, for what JSON documents do not cover.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// Write only if the key is absent.
pub fn if_absent() -> SetOptions {
    SetOptions {
        concurrency: Some(Concurrency::FirstWrite),
        ..last_write()
    }
}

/// Write only if nobody else wrote since the document was read.
pub fn if_unchanged(etag: impl Into<String>) -> SetOptions {
    SetOptions {
        etag: Some(etag.into()),
        ..if_absent()
    }
}

/// Write whatever is there.
pub fn last_write() -> SetOptions {
    SetOptions {
        etag: None,
        concurrency: Some(Concurrency::LastWrite),
        consistency: None,
        ttl_seconds: None,
        content_type: Some("application/json".to_owned()),
        metadata: Vec::new(),
    }
}

/// Whether a conditional write happened: a conflict is an answer here, not a failure.
pub fn won(written: Result<(), Error>) -> Result<bool, Error> {
    match written {
        Ok(()) => Ok(true),
        Err(Error::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

#[expect(clippy::derivable_impls, reason = "the type itself is generated")]
impl Default for GetOptions {
    fn default() -> Self {
        Self {
            consistency: None,
            metadata: Vec::new(),
        }
    }
}

fn read<T: DeserializeOwned>(key: &str, entry: &store::Entry) -> Result<Document<T>, Failure> {
    let value = serde_json::from_slice(&entry.value).map_err(|error| {
        Failure::new(
            500,
            "unreadable",
            format!("the document `{key}` is not what it should be: {error}"),
        )
    })?;
    Ok(Document {
        value,
        etag: entry.etag.clone(),
    })
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the shop's own types are representable as JSON")
}
