//! What the till does over HTTP.

use crate::{
    bindings::berth::{
        invocation::invoker,
        pubsub::publisher::{self, Message, PublishOptions},
        secrets::store as secrets,
        state::store::Error,
    },
    has_bug,
    http::Request,
    store,
};

type Answer = (u16, String);

/// How often the payment is asked before the client is told to come again.
const ATTEMPTS: usize = 3;

/// Serves a request.
pub fn serve(request: &Request) -> Answer {
    let path: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
    let done = match (request.method, path.as_slice()) {
        ("POST", ["count"]) => count(request.key.as_deref()),
        ("POST", ["charge", id]) => charge(id, &request.body),
        ("POST", ["orders", id]) => order(id, &request.body),
        ("POST", ["receipts"]) => receipt(request.key.as_deref().unwrap_or("none")),
        ("POST", ["transfer", id]) => transfer(id),
        ("POST", ["sessions", id]) => session(id),
        ("GET", ["login"]) => login(),
        _ => Ok((404, "nothing here".to_owned())),
    };
    done.unwrap_or_else(|error| (503, format!("{error:?}")))
}

fn done() -> Result<Answer, Error> {
    Ok((200, "done".to_owned()))
}

/// A request that is sent again has the same key.
fn count(key: Option<&str>) -> Result<Answer, Error> {
    if has_bug("lost-update") {
        let store = store::open()?;
        let (number, _) = store::number(&store, "count")?;
        let value = (number + 1).to_string().into_bytes();
        store.set("count", &value, &store::last())?;
    } else if let (Some(key), false) = (key, has_bug("counted-twice")) {
        store::add_once("count", 1, &format!("counted-{key}"))?;
    } else {
        store::add("count", 1)?;
    }
    done()
}

fn charge(id: &str, amount: &[u8]) -> Result<Answer, Error> {
    let mut attempts = ATTEMPTS;
    if has_bug("unbounded-retry") {
        attempts = 200;
    }
    for _ in 0..attempts {
        let status = pay(id, amount);
        if status == 200 || has_bug("swallowed-error") {
            let store = store::open()?;
            store.set(&format!("charged-{id}"), amount, &store::last())?;
            return done();
        }
        if status < 500 {
            return Ok((402, "refused".to_owned()));
        }
    }
    Ok((503, "the payment does not answer".to_owned()))
}

/// Asks the app `payment`; 0: it gave no answer.
pub fn pay(id: &str, amount: &[u8]) -> u16 {
    let mut headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    if !has_bug("double-charge") {
        headers.push(("idempotency-key".to_owned(), id.to_owned()));
    }
    let request = invoker::Request {
        method: "charge".to_owned(),
        verb: "POST".to_owned(),
        headers,
        query: None,
        body: amount.to_vec(),
        timeout_ms: Some(2_000),
        metadata: Vec::new(),
    };
    let asked = invoker::invoke("payment", &request);
    asked.map_or(599, |answer| answer.status)
}

/// What was stored is announced; what was announced is marked.
fn order(id: &str, body: &[u8]) -> Result<Answer, Error> {
    let store = store::open()?;
    let (key, told) = (format!("order-{id}"), format!("told-{id}"));
    if has_bug("lost-event") && store::exists(&store, &key)? {
        return done();
    }
    store.set(&key, body, &store::last())?;
    if store::exists(&store, &told)? {
        return done();
    }
    let message = Message {
        data: body.to_vec(),
        content_type: Some("application/json".to_owned()),
    };
    let options = PublishOptions {
        raw: false,
        ttl_seconds: None,
        partition_key: None,
        metadata: vec![("cloudevent.id".to_owned(), key.clone())],
    };
    if let Err(error) = publisher::publish("pubsub", "orders", &message, &options) {
        return Ok((503, format!("{error:?}")));
    }
    store.set(&told, b"1", &store::last())?;
    done()
}

fn receipt(key: &str) -> Result<Answer, Error> {
    let mut name = key.to_owned();
    if has_bug("random-key") {
        name = random();
    }
    let store = store::open()?;
    store.set(&format!("receipt-{name}"), b"1", &store::last())?;
    done()
}

/// A text that nobody can guess, from the seed of a hash table.
fn random() -> String {
    use std::hash::{BuildHasher, RandomState};
    let part = |n: u32| RandomState::new().hash_one(n);
    let (high, low) = (part(1), part(2));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// One from `a` to `b`, once for each ID.
fn transfer(id: &str) -> Result<Answer, Error> {
    let store = store::open()?;
    let mark = format!("moved-{id}");
    loop {
        if store::exists(&store, &mark)? {
            return done();
        }
        let (a, of_a) = store::number(&store, "a")?;
        let (b, of_b) = store::number(&store, "b")?;
        if has_bug("half-done") {
            let text = |number: i64| number.to_string().into_bytes();
            store.set("a", &text(a - 1), &store::unchanged(of_a))?;
            store.set("b", &text(b + 1), &store::unchanged(of_b))?;
            store.set(&mark, b"1", &store::last())?;
            return done();
        }
        let steps = [
            store::write("a", a - 1, store::unchanged(of_a)),
            store::write("b", b + 1, store::unchanged(of_b)),
            store::write(&mark, 1, store::unchanged(None)),
        ];
        match store.transact(&steps, &[]) {
            Err(Error::Conflict(_)) => {}
            moved => {
                moved?;
                return done();
            }
        }
    }
}

fn session(id: &str) -> Result<Answer, Error> {
    let mut options = store::last();
    if !has_bug("immortal-session") {
        options.ttl_seconds = Some(3_600);
    }
    store::open()?.set(&format!("session-{id}"), b"1", &options)?;
    done()
}

fn login() -> Result<Answer, Error> {
    let options = secrets::GetOptions {
        metadata: Vec::new(),
    };
    match secrets::get("secretstore", "token", &options) {
        Ok(secret) => {
            let value = secret.values.first().map(|(_, value)| value.clone());
            if has_bug("secret-in-log") {
                println!("logging in with {value:?}");
            } else {
                println!("logging in");
            }
            done()
        }
        Err(error) => Ok((503, format!("{error:?}"))),
    }
}
