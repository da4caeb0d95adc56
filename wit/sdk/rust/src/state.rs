//! Key/value state: values are JSON, versions are etags, writes may be conditional, expire, or belong together.
//!
//! ```no_run
//! # fn main() -> berth_sdk::Result<()> {
//! use berth_sdk::state::{Store, Write};
//! use std::time::Duration;
//!
//! let store = Store::open("statestore")?;
//! store.set("cart-ada", &["tea", "cup"])?;
//! store.write("session-ada", &"token", Write::new().ttl(Duration::from_secs(3600)))?;
//!
//! // Whoever reads, changes and writes loses what others wrote in between, unless the etag says that nobody did.
//! let visits: u64 = store.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?;
//! # drop(visits); Ok(()) }
//! ```

pub use crate::attempts::attempts;
use crate::{Error, Kind, Result, bindings::imports::berth::state::store as wit, json};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// Keys of one page.
const PAGE_KEYS: u32 = 1000;

/// A state store of this app, as `metadata.name` of its document names it.
pub struct Store(wit::Store);

/// A stored value and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// What was stored.
    pub value: T,
    /// Opaque; changes with every write. [`Write::if_etag`] takes it.
    pub etag: String,
    /// Media type given when the value was written, where the store keeps one.
    pub content_type: Option<String>,
    /// What the store says of the value; one with a time to live has `ttlExpireTime` (RFC 3339).
    pub metadata: Vec<(String, String)>,
}

/// How a value is written or deleted. By itself: whatever is there, and for good.
#[derive(Debug, Clone, Default)]
pub struct Write {
    etag: Option<String>,
    first: bool,
    strong: bool,
    ttl_seconds: Option<u32>,
    metadata: Vec<(String, String)>,
}

/// One step of [`Store::transact`].
#[derive(Debug, Clone)]
pub struct Step(wit::Operation);

impl Store {
    /// The store with this name. It is looked up at each call, so that a changed document takes effect.
    ///
    /// # Errors
    /// [`Kind::NotFound`]: no such store is visible to this app.
    pub fn open(name: &str) -> Result<Self> {
        Ok(Self(wit::open(name)?))
    }

    /// The value of a key, or nothing if the key is absent or expired.
    ///
    /// # Errors
    /// The store fails, or the value is not of this type: [`Kind::Malformed`].
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        Ok(self.entry(key)?.map(|entry| entry.value))
    }

    /// The value of a key with its etag.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn entry<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Entry<T>>> {
        let entry = self.0.get(key, &reading())?;
        entry.map(|entry| read(key, entry)).transpose()
    }

    /// Many values at once, in the order of the keys. Not a snapshot.
    ///
    /// # Errors
    /// As [`Store::get`], of the first key that could not be read.
    pub fn get_many<T: DeserializeOwned>(&self, keys: &[String]) -> Result<Vec<Option<Entry<T>>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.0.bulk_get(keys, &reading())?;
        let each = found.into_iter().map(|found| match found.error {
            Some(error) => Err(error.into()),
            None => found.entry.map(|entry| read(&found.key, entry)).transpose(),
        });
        each.collect()
    }

    /// Writes a value, whatever is there: the last writer wins.
    ///
    /// # Errors
    /// The store fails.
    pub fn set(&self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.write(key, value, Write::new())
    }

    /// Writes a value on conditions.
    ///
    /// # Errors
    /// [`Kind::Conflict`]: somebody else was faster. Or the store fails.
    pub fn write(&self, key: &str, value: &(impl Serialize + ?Sized), how: Write) -> Result<()> {
        Ok(self.0.set(key, &json::write(key, value)?, &how.setting())?)
    }

    /// Deletes a key, whatever is there. One that is absent is no error.
    ///
    /// # Errors
    /// The store fails.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.delete_if(key, Write::new())
    }

    /// Deletes a key on conditions.
    ///
    /// # Errors
    /// [`Kind::Conflict`]: it is no longer what it was. Or the store fails.
    pub fn delete_if(&self, key: &str, how: Write) -> Result<()> {
        Ok(self.0.delete(key, &how.deleting())?)
    }

    /// Takes all steps in order, or none.
    ///
    /// # Errors
    /// [`Kind::Conflict`]: a condition of one of them does not hold. [`Kind::Invalid`]: the store has no transactions.
    pub fn transact(&self, steps: impl IntoIterator<Item = Step>) -> Result<()> {
        let steps: Vec<_> = steps.into_iter().map(|Step(operation)| operation).collect();
        Ok(self.0.transact(&steps, &[])?)
    }

    /// Reads a value, has it changed and writes it, again and again until nobody else wrote in between. Returns what was
    /// written. `change` may run more than once: it has no other effects.
    ///
    /// # Errors
    /// [`Kind::Unavailable`] if others were faster for two seconds on end; or the store fails.
    pub fn update<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> T,
    ) -> Result<T> {
        for _ in attempts() {
            let (value, how) = match self.entry(key)? {
                Some(Entry { value, etag, .. }) => (Some(value), Write::new().if_etag(etag)),
                None => (None, Write::new().if_absent()),
            };
            let value = change(value);
            match self.write(key, &value, how) {
                Ok(()) => return Ok(value),
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        let busy = format!("`{key}` is being written by others");
        Err(Error::new(Kind::Unavailable, busy))
    }

    /// The keys of this app that begin with `prefix`, all of them. Those written or deleted meanwhile may be missing.
    ///
    /// # Errors
    /// The store fails, or cannot list keys.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let (page, next) = self.keys_page(prefix, PAGE_KEYS, token)?;
            keys.extend(page);
            match next {
                Some(next) => token = Some(next),
                None => return Ok(keys),
            }
        }
    }

    /// At most `limit` keys (1 to 1,000) that begin with `prefix`, and the token of the page that follows.
    ///
    /// # Errors
    /// The store fails, or cannot list keys.
    pub fn keys_page(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<String>,
    ) -> Result<(Vec<String>, Option<String>)> {
        let page = self.0.list_keys(prefix, &wit::Page { limit, token })?;
        Ok((page.keys, page.next))
    }

    /// The store as the WIT has it, for values that are no JSON.
    #[must_use]
    pub fn raw(&self) -> &wit::Store {
        &self.0
    }
}

impl Write {
    /// Without conditions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only if the key is absent.
    #[must_use]
    pub fn if_absent(mut self) -> Self {
        self.first = true;
        self
    }

    /// Only if the stored value has this etag: nobody wrote since it was read.
    #[must_use]
    pub fn if_etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self.if_absent()
    }

    /// The value is gone after this time, counted in seconds and rounded up.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        self.ttl_seconds = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }

    /// Answered when the store guarantees as much as it can.
    #[must_use]
    pub fn strong(mut self) -> Self {
        self.strong = true;
        self
    }

    /// One more thing that the store understands.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((name.into(), value.into()));
        self
    }

    fn concurrency(&self) -> Option<wit::Concurrency> {
        Some(match self.first {
            true => wit::Concurrency::FirstWrite,
            false => wit::Concurrency::LastWrite,
        })
    }

    fn consistency(&self) -> Option<wit::Consistency> {
        self.strong.then_some(wit::Consistency::Strong)
    }

    fn setting(self) -> wit::SetOptions {
        wit::SetOptions {
            concurrency: self.concurrency(),
            consistency: self.consistency(),
            etag: self.etag,
            ttl_seconds: self.ttl_seconds,
            content_type: Some(json::MEDIA_TYPE.to_owned()),
            metadata: self.metadata,
        }
    }

    fn deleting(self) -> wit::DeleteOptions {
        wit::DeleteOptions {
            concurrency: self.concurrency(),
            consistency: self.consistency(),
            etag: self.etag,
            metadata: self.metadata,
        }
    }
}

impl Step {
    /// Writes a value.
    ///
    /// # Errors
    /// [`Kind::Malformed`]: the value is no JSON.
    pub fn set(key: &str, value: &(impl Serialize + ?Sized), how: Write) -> Result<Self> {
        Ok(Self(wit::Operation::Set(wit::SetRequest {
            key: key.to_owned(),
            value: json::write(key, value)?,
            options: how.setting(),
        })))
    }

    /// Deletes a key.
    #[must_use]
    pub fn delete(key: &str, how: Write) -> Self {
        Self(wit::Operation::Delete(wit::DeleteRequest {
            key: key.to_owned(),
            options: how.deleting(),
        }))
    }
}

fn reading() -> wit::GetOptions {
    wit::GetOptions {
        consistency: None,
        metadata: Vec::new(),
    }
}

fn read<T: DeserializeOwned>(key: &str, entry: wit::Entry) -> Result<Entry<T>> {
    Ok(Entry {
        value: json::read(key, &entry.value)?,
        etag: entry.etag,
        content_type: entry.content_type,
        metadata: entry.metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_without_conditions_ignores_what_is_there() {
        let options = Write::new().setting();
        assert_eq!(options.concurrency, Some(wit::Concurrency::LastWrite));
        assert_eq!((options.etag, options.ttl_seconds), (None, None));
    }

    #[test]
    fn a_condition_lets_the_first_writer_win() {
        let options = Write::new()
            .if_etag("7")
            .ttl(Duration::from_millis(1500))
            .setting();
        assert_eq!(options.concurrency, Some(wit::Concurrency::FirstWrite));
        assert_eq!(
            (options.etag.as_deref(), options.ttl_seconds),
            (Some("7"), Some(2))
        );
        let absent = Write::new().if_absent().deleting();
        assert_eq!(
            (absent.concurrency, absent.etag),
            (Some(wit::Concurrency::FirstWrite), None)
        );
    }
}
