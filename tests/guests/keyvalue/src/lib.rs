//! Every function of `wasi:keyvalue@0.2.0-draft` and `wasi:config@0.2.0-rc.1`. `tests/guests/keyvalue/README.md` lists the checks.

use bindings::exports::wasi::http::incoming_handler;
use bindings::wasi::config::store as config;
use bindings::wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use bindings::wasi::keyvalue::store::{self, Bucket, Error};
use bindings::wasi::keyvalue::{atomics, batch};
use serde_json::json;
use std::fmt::Debug;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit", "wit/keyvalue.wit", "wit/config.wit"],
        inline: "
            package test:keyvalue;

            world check {
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
                import wasi:config/store@0.2.0-rc.1;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        generate_all,
    });
}

struct Guest;

bindings::export!(Guest with_types_in bindings);

impl incoming_handler::Guest for Guest {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let results: Vec<_> = CHECKS
            .iter()
            .map(|(name, check)| {
                let outcome = check();
                json!({ "check": name, "ok": outcome.is_ok(), "detail": outcome.err().unwrap_or_default() })
            })
            .collect();
        answer(outparam, json!(results).to_string().as_bytes());
    }
}

fn answer(outparam: ResponseOutparam, text: &[u8]) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    // At most 4096 bytes at once. The caller may have gone away, which is no concern of the guest.
    for chunk in text.chunks(4096) {
        let _ = stream.blocking_write_and_flush(chunk);
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Nothing, or what was wrong.
type Outcome = Result<(), String>;

const CHECKS: &[(&str, fn() -> Outcome)] = &[
    ("store.open", open),
    ("store.open-unknown", open_unknown),
    ("store.set", set),
    ("store.get-missing", get_missing),
    ("store.exists", exists),
    ("store.delete", delete),
    ("store.list-keys", list_keys),
    ("atomics.increment", increment),
    ("batch.set-many", set_many),
    ("batch.get-many", get_many),
    ("batch.delete-many", delete_many),
    ("config.get", config_get),
    ("config.get-missing", config_get_missing),
    ("config.get-all", config_get_all),
];

fn done<T, E: Debug>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| format!("refused: {error:?}"))
}

fn expect(holds: bool, found: impl Debug) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(format!("{found:?}"))
    }
}

fn bucket() -> Result<Bucket, String> {
    done(store::open("default"))
}

fn open() -> Outcome {
    bucket().map(drop)
}

fn open_unknown() -> Outcome {
    let result = store::open("no-such-store");
    expect(matches!(result, Err(Error::NoSuchStore)), result)
}

fn set() -> Outcome {
    let bucket = bucket()?;
    done(bucket.set("a", b"one"))?;
    let found = done(bucket.get("a"))?;
    expect(found.as_deref() == Some(b"one"), found)
}

fn get_missing() -> Outcome {
    let bucket = bucket()?;
    let found = done(bucket.get("missing"))?;
    expect(found.is_none() && !done(bucket.exists("missing"))?, found)
}

fn exists() -> Outcome {
    let bucket = bucket()?;
    done(bucket.set("exists", b""))?;
    expect(done(bucket.exists("exists"))?, "the key does not exist")
}

fn delete() -> Outcome {
    let bucket = bucket()?;
    done(bucket.set("delete", b"x"))?;
    done(bucket.delete("delete"))?;
    expect(!done(bucket.exists("delete"))?, "the key is still there")?;
    done(bucket.delete("delete"))
}

fn list_keys() -> Outcome {
    let (bucket, written) = (bucket()?, ["list-a", "list-b", "list-c"]);
    for key in written {
        done(bucket.set(key, b"x"))?;
    }
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = done(bucket.list_keys(cursor))?;
        listed.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    listed.retain(|key| key.starts_with("list-"));
    listed.sort();
    expect(listed == written, listed)
}

fn increment() -> Outcome {
    let bucket = bucket()?;
    done(bucket.delete("count"))?;
    let first = done(atomics::increment(&bucket, "count", 5))?;
    let second = done(atomics::increment(&bucket, "count", 2))?;
    expect([first, second] == [5, 7], (first, second))
}

fn write_two(bucket: &Bucket) -> Outcome {
    let pairs = [
        ("many-1".to_owned(), b"1".to_vec()),
        ("many-2".to_owned(), b"2".to_vec()),
    ];
    done(batch::set_many(bucket, &pairs))
}

fn set_many() -> Outcome {
    let bucket = bucket()?;
    write_two(&bucket)?;
    let found = done(bucket.get("many-2"))?;
    expect(found.as_deref() == Some(b"2"), found)
}

fn get_many() -> Outcome {
    let (bucket, keys) = (
        bucket()?,
        ["many-1", "missing", "many-2"].map(str::to_owned),
    );
    write_two(&bucket)?;
    let found = done(batch::get_many(&bucket, &keys))?;
    let expected = [
        Some(("many-1".to_owned(), b"1".to_vec())),
        None,
        Some(("many-2".to_owned(), b"2".to_vec())),
    ];
    expect(found == expected, found)
}

fn delete_many() -> Outcome {
    let (bucket, keys) = (bucket()?, ["many-1", "many-2"].map(str::to_owned));
    write_two(&bucket)?;
    done(batch::delete_many(&bucket, &keys))?;
    expect(
        !done(bucket.exists("many-1"))? && !done(bucket.exists("many-2"))?,
        "a key is still there",
    )
}

fn config_get() -> Outcome {
    let found = done(config::get("greeting"))?;
    expect(found.as_deref() == Some("hello"), found)
}

fn config_get_missing() -> Outcome {
    let found = done(config::get("no-such-name"))?;
    expect(found.is_none(), found)
}

fn config_get_all() -> Outcome {
    let found = done(config::get_all())?;
    let greeting = ("greeting".to_owned(), "hello".to_owned());
    expect(found.contains(&greeting), found)
}
