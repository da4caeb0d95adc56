//! `berth:state`.

use super::{Check, Outcome, Run, done, expect, refused};
use crate::bindings::berth::state::store::{
    self, Concurrency, DeleteOptions, DeleteRequest, Entry, Error, GetOptions, Operation, Page,
    SetOptions, SetRequest, Store,
};

pub const CHECKS: &[Check] = &[
    ("state.open", open),
    ("state.open-unknown", open_unknown),
    ("state.set", set),
    ("state.get", get),
    ("state.get-missing", get_missing),
    ("state.etag", etag),
    ("state.stale-etag", stale_etag),
    ("state.first-write", first_write),
    ("state.last-write", last_write),
    ("state.empty-key", empty_key),
    ("state.reserved-key", reserved_key),
    ("state.ttl", ttl),
    ("state.content-type", content_type),
    ("state.delete", delete),
    ("state.delete-stale-etag", delete_stale_etag),
    ("state.bulk-set", bulk_set),
    ("state.bulk-set-partial", bulk_set_partial),
    ("state.bulk-get", bulk_get),
    ("state.bulk-delete", bulk_delete),
    ("state.transact", transact),
    ("state.transact-conflict", transact_conflict),
    ("state.list-keys", list_keys),
];

const READ: GetOptions = GetOptions {
    consistency: None,
    metadata: Vec::new(),
};

const PLAIN: SetOptions = SetOptions {
    etag: None,
    concurrency: None,
    consistency: None,
    ttl_seconds: None,
    content_type: None,
    metadata: Vec::new(),
};

const DELETE: DeleteOptions = DeleteOptions {
    etag: None,
    concurrency: None,
    consistency: None,
    metadata: Vec::new(),
};

fn with_etag(etag: &str) -> SetOptions {
    SetOptions {
        etag: Some(etag.to_owned()),
        ..PLAIN
    }
}

fn open_store() -> Result<Store, String> {
    done(store::open("statestore"))
}

fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Conflict(_))
}

fn is_invalid(error: &Error) -> bool {
    matches!(error, Error::Invalid(_))
}

fn entry(store: &Store, key: &str) -> Result<Entry, String> {
    done(store.get(key, &READ))?.ok_or_else(|| format!("{key} is absent"))
}

fn absent(store: &Store, key: &str) -> Outcome {
    let found = done(store.get(key, &READ))?;
    expect(found.is_none(), || format!("{key} is there: {found:?}"))
}

fn holds(store: &Store, key: &str, value: &[u8]) -> Outcome {
    let found = entry(store, key)?;
    expect(found.value == value, || {
        format!("{key} holds {:?}", String::from_utf8_lossy(&found.value))
    })
}

/// Writes a key twice and returns the etag of the first write, which is stale then.
fn stale(store: &Store, key: &str) -> Result<String, String> {
    done(store.set(key, b"old", &PLAIN))?;
    let etag = entry(store, key)?.etag;
    done(store.set(key, b"new", &PLAIN))?;
    Ok(etag)
}

fn set_request(key: String, value: &[u8], options: SetOptions) -> SetRequest {
    SetRequest {
        key,
        value: value.to_vec(),
        options,
    }
}

fn open(_: &Run) -> Outcome {
    open_store().map(drop)
}

fn open_unknown(_: &Run) -> Outcome {
    refused(store::open("no-such-store"), |error| {
        matches!(error, Error::NotFound(_))
    })
}

fn set(run: &Run) -> Outcome {
    done(open_store()?.set(&run.key("a"), b"one", &PLAIN))
}

fn get(run: &Run) -> Outcome {
    let found = entry(&open_store()?, &run.key("a"))?;
    expect(found.value == b"one" && !found.etag.is_empty(), || {
        format!("{found:?}")
    })
}

fn get_missing(run: &Run) -> Outcome {
    absent(&open_store()?, &run.key("missing"))
}

fn etag(run: &Run) -> Outcome {
    let (store, key) = (open_store()?, run.key("etag"));
    done(store.set(&key, b"one", &PLAIN))?;
    let first = entry(&store, &key)?.etag;
    done(store.set(&key, b"two", &with_etag(&first)))?;
    let second = entry(&store, &key)?.etag;
    expect(first != second, || format!("the etag is still {second}"))
}

fn stale_etag(run: &Run) -> Outcome {
    let (store, key) = (open_store()?, run.key("etag"));
    let etag = stale(&store, &key)?;
    refused(store.set(&key, b"three", &with_etag(&etag)), is_conflict)?;
    holds(&store, &key, b"new")
}

fn first_write(run: &Run) -> Outcome {
    let (store, key) = (open_store()?, run.key("first"));
    let options = SetOptions {
        concurrency: Some(Concurrency::FirstWrite),
        ..PLAIN
    };
    done(store.delete(&key, &DELETE))?;
    done(store.set(&key, b"first", &options))?;
    refused(store.set(&key, b"second", &options), is_conflict)?;
    holds(&store, &key, b"first")
}

fn last_write(run: &Run) -> Outcome {
    let (store, key) = (open_store()?, run.key("last"));
    let etag = stale(&store, &key)?;
    let options = SetOptions {
        concurrency: Some(Concurrency::LastWrite),
        ..with_etag(&etag)
    };
    done(store.set(&key, b"last", &options))?;
    holds(&store, &key, b"last")
}

fn empty_key(_: &Run) -> Outcome {
    refused(open_store()?.set("", b"x", &PLAIN), is_invalid)
}

fn reserved_key(run: &Run) -> Outcome {
    refused(
        open_store()?.set(&run.key("a||b"), b"x", &PLAIN),
        is_invalid,
    )
}

fn ttl(run: &Run) -> Outcome {
    let (store, key) = (open_store()?, run.key("ttl"));
    let expires = |entry: &Entry| {
        entry
            .metadata
            .iter()
            .any(|(name, _)| name == "ttlExpireTime")
    };
    done(store.set(
        &key,
        b"x",
        &SetOptions {
            ttl_seconds: Some(3600),
            ..PLAIN
        },
    ))?;
    let with = entry(&store, &key)?;
    expect(expires(&with), || format!("no ttlExpireTime: {with:?}"))?;
    done(store.set(&key, b"x", &PLAIN))?;
    let without = entry(&store, &key)?;
    expect(!expires(&without), || {
        format!("still ttlExpireTime: {without:?}")
    })
}

fn content_type(run: &Run) -> Outcome {
    const MEDIA_TYPE: &str = "application/octet-stream";
    let (store, key) = (open_store()?, run.key("bytes"));
    done(store.set(
        &key,
        &[0, 255, 10],
        &SetOptions {
            content_type: Some(MEDIA_TYPE.to_owned()),
            ..PLAIN
        },
    ))?;
    let found = entry(&store, &key)?;
    let kept = found
        .content_type
        .as_deref()
        .is_none_or(|kept| kept == MEDIA_TYPE);
    expect(found.value == [0, 255, 10] && kept, || format!("{found:?}"))
}

fn delete(run: &Run) -> Outcome {
    let (store, key) = (open_store()?, run.key("delete"));
    done(store.set(&key, b"x", &PLAIN))?;
    done(store.delete(&key, &DELETE))?;
    absent(&store, &key)?;
    done(store.delete(&key, &DELETE))
}

fn delete_stale_etag(run: &Run) -> Outcome {
    let (store, key) = (open_store()?, run.key("delete-etag"));
    let etag = stale(&store, &key)?;
    refused(
        store.delete(
            &key,
            &DeleteOptions {
                etag: Some(etag),
                ..DELETE
            },
        ),
        is_conflict,
    )?;
    holds(&store, &key, b"new")
}

fn bulk_set(run: &Run) -> Outcome {
    let (store, first, second) = (open_store()?, run.key("bulk-1"), run.key("bulk-2"));
    let requests = [
        set_request(first.clone(), b"1", PLAIN),
        set_request(second.clone(), b"2", PLAIN),
    ];
    let failures = done(store.bulk_set(&requests))?;
    expect(failures.is_empty(), || format!("{failures:?}"))?;
    holds(&store, &first, b"1")?;
    holds(&store, &second, b"2")
}

fn bulk_set_partial(run: &Run) -> Outcome {
    let (store, stale_key, good_key) = (open_store()?, run.key("bulk-stale"), run.key("bulk-good"));
    let etag = stale(&store, &stale_key)?;
    done(store.delete(&good_key, &DELETE))?;
    let requests = [
        set_request(stale_key.clone(), b"x", with_etag(&etag)),
        set_request(good_key.clone(), b"x", PLAIN),
    ];
    let failures = done(store.bulk_set(&requests))?;
    let [failure] = failures.as_slice() else {
        return Err(format!("{failures:?}"));
    };
    expect(
        failure.key == stale_key && is_conflict(&failure.error),
        || format!("{failure:?}"),
    )?;
    holds(&store, &good_key, b"x")
}

fn bulk_get(run: &Run) -> Outcome {
    let (store, first, second) = (open_store()?, run.key("bulk-1"), run.key("bulk-2"));
    let keys = [second, run.key("missing"), first];
    let found = done(store.bulk_get(&keys, &READ))?;
    let values: Vec<_> = found
        .iter()
        .map(|one| one.entry.as_ref().map(|entry| entry.value.as_slice()))
        .collect();
    let in_order = found.iter().map(|one| &one.key).eq(keys.iter());
    let no_errors = found.iter().all(|one| one.error.is_none());
    expect(
        in_order && no_errors && values == [Some(b"2".as_slice()), None, Some(b"1")],
        || format!("{found:?}"),
    )
}

fn bulk_delete(run: &Run) -> Outcome {
    let (store, keys) = (open_store()?, [run.key("bulk-1"), run.key("bulk-2")]);
    let requests = keys.clone().map(|key| DeleteRequest {
        key,
        options: DELETE,
    });
    let failures = done(store.bulk_delete(&requests))?;
    expect(failures.is_empty(), || format!("{failures:?}"))?;
    keys.iter().try_for_each(|key| absent(&store, key))
}

fn transact(run: &Run) -> Outcome {
    let (store, added, removed) = (open_store()?, run.key("added"), run.key("removed"));
    done(store.set(&removed, b"x", &PLAIN))?;
    let operations = [
        Operation::Set(set_request(added.clone(), b"added", PLAIN)),
        Operation::Delete(DeleteRequest {
            key: removed.clone(),
            options: DELETE,
        }),
    ];
    done(store.transact(&operations, &[]))?;
    holds(&store, &added, b"added")?;
    absent(&store, &removed)
}

fn transact_conflict(run: &Run) -> Outcome {
    let (store, first, second) = (open_store()?, run.key("untouched"), run.key("contested"));
    let etag = stale(&store, &second)?;
    done(store.delete(&first, &DELETE))?;
    let operations = [
        Operation::Set(set_request(first.clone(), b"x", PLAIN)),
        Operation::Set(set_request(second.clone(), b"x", with_etag(&etag))),
    ];
    refused(store.transact(&operations, &[]), is_conflict)?;
    absent(&store, &first)?;
    holds(&store, &second, b"new")
}

fn list_keys(run: &Run) -> Outcome {
    let (store, prefix) = (open_store()?, run.key("list-"));
    let written: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|name| format!("{prefix}{name}"))
        .into();
    for key in &written {
        done(store.set(key, b"x", &PLAIN))?;
    }
    let (mut listed, mut token, mut sizes) = (Vec::new(), None, Vec::new());
    while sizes.len() < 3 {
        let page = done(store.list_keys(&prefix, &Page { limit: 2, token }))?;
        sizes.push(page.keys.len());
        listed.extend(page.keys);
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    listed.sort();
    expect(
        listed == written && sizes == [2, 2, 1] && token.is_none(),
        || format!("{sizes:?} {listed:?} {token:?}"),
    )
}
