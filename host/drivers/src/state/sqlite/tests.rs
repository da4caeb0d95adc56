use super::*;
use crate::scratch::{Scratch, context, metadata};
use berth_blocks::{
    conformance::{Subject, eventually},
    state::Precondition,
};
use bytes::Bytes;
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::BTreeMap;

async fn open_for_test() -> Subject<dyn StateStore> {
    subject(&[]).await
}

berth_blocks::state_conformance!(conformance: open_for_test);

async fn open_without_wal() -> Subject<dyn StateStore> {
    subject(&[("disableWAL", "true")]).await
}

berth_blocks::state_conformance!(without_wal: open_without_wal);

async fn open_in_memory() -> Subject<dyn StateStore> {
    let memory = metadata(&[("connectionString", ":memory:")]);
    let opened = open(context("/nowhere".as_ref()), memory).await;
    Subject::new(Arc::new(opened.unwrap()))
}

berth_blocks::state_conformance!(in_memory: open_in_memory);

async fn subject(entries: &'static [(&'static str, &'static str)]) -> Subject<dyn StateStore> {
    let scratch = Scratch::new();
    let reopen = {
        let folder = scratch.path().to_owned();
        move || {
            let context = context(&folder);
            async {
                let opened = open(context, metadata(entries)).await;
                let store: Arc<dyn StateStore> = Arc::new(opened.unwrap());
                store
            }
        }
    };
    Subject::new(reopen().await)
        .keeping(scratch)
        .reopened_by(reopen)
}

async fn open_in(scratch: &Scratch) -> SqliteState {
    open(scratch.context(), metadata(&[])).await.unwrap()
}

fn set(key: &str, value: &[u8]) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: Bytes::copy_from_slice(value),
        precondition: Precondition::None,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

fn typed(key: &str, value: &[u8], content_type: &str) -> SetRequest {
    SetRequest {
        content_type: Some(content_type.to_owned()),
        ..set(key, value)
    }
}

async fn get(store: &SqliteState, key: &str) -> Option<Entry> {
    store.get(key, &GetOptions::default()).await.unwrap()
}

/// The columns that Dapr defines, as `name TYPE notnull default pk`.
const DAPR_STATE: [&str; 6] = [
    "key TEXT 1 - 1",
    "value TEXT 1 - 0",
    "is_binary BOOLEAN 1 - 0",
    "etag TEXT 1 - 0",
    "expiration_time TIMESTAMP 0 NULL 0",
    "update_time TIMESTAMP 1 CURRENT_TIMESTAMP 0",
];

fn columns(connection: &Connection, table: &str) -> Vec<String> {
    let sql = "SELECT name || ' ' || type || ' ' || \"notnull\" || ' ' || coalesce(dflt_value, '-') || ' ' || pk
               FROM pragma_table_info(?1)";
    let mut info = connection.prepare(sql).unwrap();
    let rows = info.query_map([table], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn the_tables_are_those_of_dapr() {
    let scratch = Scratch::new();
    let store = open_in(&scratch).await;
    store.set(set("text", "größe".as_bytes())).await.unwrap();
    store.set(set("bytes", b"\xff\0")).await.unwrap();
    let ttl = Some(Duration::from_secs(3_600));
    store
        .set(SetRequest {
            ttl,
            ..set("ttl", b"1")
        })
        .await
        .unwrap();
    drop(store);
    let file = Connection::open(scratch.database()).unwrap();
    assert_eq!(columns(&file, "state"), DAPR_STATE);
    assert_eq!(
        columns(&file, "metadata"),
        ["key TEXT 1 - 1", "value TEXT 1 - 0"]
    );
    let row = |key: &str| {
        let sql = "SELECT typeof(value) || ' ' || value || ' ' || is_binary || ' ' || length(etag) || ' '
                       || coalesce(round((julianday(expiration_time) - julianday('now')) * 24), 'never')
                   FROM state WHERE key = ?1";
        file.query_row(sql, [key], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(row("text"), "text größe 0 36 never");
    assert_eq!(row("bytes"), "text /wA= 1 36 never");
    assert_eq!(row("ttl"), "text 1 0 36 1.0");
    let level = "SELECT value FROM metadata WHERE key = 'migrations'";
    assert_eq!(
        file.query_row(level, [], |row| row.get::<_, String>(0))
            .unwrap(),
        "1"
    );
}

/// Makes a file as Dapr does and writes `rows` of key, value, binary flag and expiration into it.
fn dapr_file(scratch: &Scratch, rows: &[(&str, &str, bool, &str)]) {
    let file = Connection::open(scratch.database()).unwrap();
    let tables = "CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
        INSERT INTO metadata VALUES ('migrations', '1');
        CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL,
            etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL,
            update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);";
    file.execute_batch(tables).unwrap();
    for (key, value, is_binary, expires) in rows {
        let insert = "INSERT INTO state (key, value, is_binary, etag, expiration_time)
            VALUES (?1, ?2, ?3, 'e1', DATETIME(CURRENT_TIMESTAMP, ?4))";
        file.execute(insert, (key, value, is_binary, expires))
            .unwrap();
    }
}

#[tokio::test]
async fn what_dapr_wrote_is_read() {
    let scratch = Scratch::new();
    let rows = [
        ("json", "{\"a\":1}", false, "+1 hour"),
        ("bytes", "/wA=", true, "+1 hour"),
        ("expired", "\"x\"", false, "-1 seconds"),
        ("broken", "no base64", true, "+1 hour"),
    ];
    dapr_file(&scratch, &rows);
    let store = open_in(&scratch).await;
    let json = get(&store, "json").await.unwrap();
    assert_eq!((&*json.value, &*json.etag), (&b"{\"a\":1}"[..], "e1"));
    let left = json
        .expires_at
        .unwrap()
        .duration_since(std::time::SystemTime::now())
        .unwrap();
    assert!((3_590..=3_600).contains(&left.as_secs()), "{left:?}");
    assert_eq!(get(&store, "bytes").await.unwrap().value, &b"\xff\0"[..]);
    assert_eq!(get(&store, "expired").await, None);
    let broken = store
        .get("broken", &GetOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        broken.to_string(),
        "key `broken` is marked as binary, but its value is no base64: Invalid symbol 32, offset 2."
    );
}

#[tokio::test]
async fn a_media_type_does_not_outlive_its_value() {
    let scratch = Scratch::new();
    let store = open_in(&scratch).await;
    let content_type = async |key| get(&store, key).await.unwrap().content_type;
    store.set(typed("a", b"1", "text/a")).await.unwrap();
    store.set(typed("b", b"1", "text/b")).await.unwrap();
    assert_eq!(content_type("a").await.as_deref(), Some("text/a"));
    store.set(set("a", b"2")).await.unwrap();
    assert_eq!(content_type("a").await, None);
    // As Dapr overwrites it, which knows nothing of the side table.
    let other = Connection::open(scratch.database()).unwrap();
    other
        .execute("UPDATE state SET etag = 'dapr' WHERE key = 'b'", [])
        .unwrap();
    assert_eq!(content_type("b").await, None);
    let orphans = "SELECT count(*) FROM state_content_type";
    assert_eq!(
        other
            .query_row(orphans, [], |row| row.get::<_, i64>(0))
            .unwrap(),
        2
    );
    store.table.collect_expired(&store.database).await.unwrap();
    assert_eq!(
        other
            .query_row(orphans, [], |row| row.get::<_, i64>(0))
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn expired_rows_are_deleted_in_the_background() {
    let scratch = Scratch::new();
    let often = metadata(&[("cleanupInterval", "100ms")]);
    let store = open(scratch.context(), often).await.unwrap();
    let ttl = Some(Duration::from_millis(1));
    let write = async |key: String| {
        let request = SetRequest {
            ttl,
            ..set(&key, b"x")
        };
        store.set(request).await.unwrap();
    };
    // More than one transaction deletes.
    futures::future::join_all((0..1_500).map(|number| write(number.to_string()))).await;
    store.set(set("stays", b"x")).await.unwrap();
    let file = Connection::open(scratch.database()).unwrap();
    eventually("one row stays", async || {
        let count = file.query_row("SELECT count(*) FROM state", [], |row| row.get::<_, i64>(0));
        count.unwrap() == 1
    })
    .await;
}

#[tokio::test]
async fn listing_and_reading_use_the_index() {
    let scratch = Scratch::new();
    let store = open_in(&scratch).await;
    let (table, database) = (store.table.clone(), store.database.clone());
    let plans = database.read(move |connection| Ok(table.plans(connection)?));
    let plans: Result<_, StateError> = plans.await;
    let plans: Vec<String> = plans.unwrap();
    assert!(
        plans.iter().all(|step| step.starts_with("SEARCH ")),
        "{plans:?}"
    );
}

#[tokio::test]
async fn a_statement_is_compiled_once_whatever_is_bound_to_it() {
    let scratch = Scratch::new();
    let store = open_in(&scratch).await;
    let (table, database) = (store.table.clone(), store.database.clone());
    let again = database.read(move |connection| Ok(table.compiled_again(connection)?));
    let again: Result<i32, StateError> = again.await;
    assert_eq!(again.unwrap(), 0);
}

#[tokio::test]
async fn metadata_that_makes_no_sense_is_refused() {
    let scratch = Scratch::new();
    let refusal = async |entries: &[(&str, &str)]| {
        let opened = open(scratch.context(), metadata(entries)).await;
        scratch.told(opened.err().unwrap())
    };
    assert_eq!(
        refusal(&[("timeout", "500ms")]).await,
        "metadata `timeout`: 500ms is too short: expected at least 1s"
    );
    assert_eq!(
        refusal(&[("tableName", "state; DROP")]).await,
        "metadata `tableName`: `state; DROP` is not a table name: expected letters, digits and `_`, no digit first"
    );
    drop(open_in(&scratch).await);
    let file = Connection::open(scratch.database()).unwrap();
    file.execute(
        "UPDATE metadata SET value = '2' WHERE key = 'migrations'",
        [],
    )
    .unwrap();
    assert_eq!(
        refusal(&[]).await,
        "preparing tables: table `metadata` says that a newer Dapr has made the tables (migrations = 2, known is 1): \
         use another file or other table names"
    );
}

#[tokio::test]
async fn two_stores_in_one_file_have_their_own_tables() {
    let scratch = Scratch::new();
    let context = scratch.context();
    let other = metadata(&[
        ("tableName", "other"),
        ("metadataTableName", "other_metadata"),
    ]);
    let one = open(context.clone(), metadata(&[])).await.unwrap();
    let two = open(context, other).await.unwrap();
    one.set(set("key", b"one")).await.unwrap();
    two.set(set("key", b"two")).await.unwrap();
    assert!(Arc::ptr_eq(&one.database, &two.database));
    assert_eq!(get(&one, "key").await.unwrap().value, "one");
    assert_eq!(get(&two, "key").await.unwrap().value, "two");
}

/// A step on one of a few keys, so that steps meet.
#[derive(Debug, Clone)]
enum Step {
    Set(usize, Vec<u8>),
    SetIfAbsent(usize, Vec<u8>),
    SetIfUnchanged(usize, Vec<u8>),
    SetIfStale(usize),
    Delete(usize),
    DeleteIfUnchanged(usize),
    Transaction(Vec<(usize, Option<Vec<u8>>)>, bool),
    Restart,
}

const KEYS: [&str; 5] = ["a", "a||b", "a%", "ä", "A"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..KEYS.len();
    let value = prop::collection::vec(any::<u8>(), 0..20);
    let writes = prop::collection::vec((key.clone(), prop::option::of(value.clone())), 0..6);
    let step = prop_oneof![
        4 => (key.clone(), value.clone()).prop_map(|(key, value)| Step::Set(key, value)),
        2 => (key.clone(), value.clone()).prop_map(|(key, value)| Step::SetIfAbsent(key, value)),
        2 => (key.clone(), value).prop_map(|(key, value)| Step::SetIfUnchanged(key, value)),
        1 => key.clone().prop_map(Step::SetIfStale),
        2 => key.clone().prop_map(Step::Delete),
        1 => key.prop_map(Step::DeleteIfUnchanged),
        2 => (writes, any::<bool>()).prop_map(|(writes, fails)| Step::Transaction(writes, fails)),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..30)
}

fn delete(key: &str, precondition: Precondition) -> DeleteRequest {
    DeleteRequest {
        key: key.to_owned(),
        precondition,
        consistency: None,
        metadata: Vec::new(),
    }
}

/// A store and what it should hold: value and etag by key.
struct Checked {
    scratch: Scratch,
    store: SqliteState,
    model: BTreeMap<&'static str, (Vec<u8>, String)>,
}

impl Checked {
    async fn take(&mut self, step: Step) {
        match step {
            Step::Set(key, value) => {
                assert_eq!(self.store.set(set(KEYS[key], &value)).await, Ok(()));
                self.learn(key, value).await;
            }
            Step::SetIfAbsent(key, value) => {
                let expected = !self.model.contains_key(KEYS[key]);
                self.set_if(key, value, Precondition::Absent, expected)
                    .await;
            }
            Step::SetIfUnchanged(key, value) => {
                let etag = self.model.get(KEYS[key]).map(|(_, etag)| etag.clone());
                let expected = etag.is_some();
                let precondition = Precondition::Etag(etag.unwrap_or_else(|| "none".to_owned()));
                self.set_if(key, value, precondition, expected).await;
            }
            Step::SetIfStale(key) => {
                let stale = Precondition::Etag("stale".to_owned());
                self.set_if(key, Vec::new(), stale, false).await;
            }
            Step::Delete(key) => {
                let answer = self
                    .store
                    .delete(delete(KEYS[key], Precondition::None))
                    .await;
                assert_eq!(answer, Ok(()));
                self.model.remove(KEYS[key]);
            }
            Step::DeleteIfUnchanged(key) => {
                let etag = self.model.remove(KEYS[key]).map(|(_, etag)| etag);
                let expected = etag.is_some();
                let precondition = Precondition::Etag(etag.unwrap_or_else(|| "none".to_owned()));
                let answer = self.store.delete(delete(KEYS[key], precondition)).await;
                assert_eq!(answer.is_ok(), expected, "{answer:?}");
            }
            Step::Transaction(writes, fails) => self.transact(writes, fails).await,
            Step::Restart => {
                let closing = std::mem::replace(&mut self.store, open_in(&Scratch::new()).await);
                drop(closing);
                self.store = open_in(&self.scratch).await;
            }
        }
        self.compare().await;
    }

    async fn set_if(
        &mut self,
        key: usize,
        value: Vec<u8>,
        precondition: Precondition,
        expected: bool,
    ) {
        let request = SetRequest {
            precondition,
            ..set(KEYS[key], &value)
        };
        let answer = self.store.set(request).await;
        assert_eq!(answer.is_ok(), expected, "{answer:?}");
        if expected {
            self.learn(key, value).await;
        } else {
            assert!(matches!(answer, Err(StateError::Conflict(_))), "{answer:?}");
        }
    }

    async fn transact(&mut self, writes: Vec<(usize, Option<Vec<u8>>)>, fails: bool) {
        let operation = |(key, value): &(usize, Option<Vec<u8>>)| match value {
            Some(value) => Operation::Set(set(KEYS[*key], value)),
            None => Operation::Delete(delete(KEYS[*key], Precondition::None)),
        };
        let mut operations: Vec<_> = writes.iter().map(operation).collect();
        if fails {
            let stale = Precondition::Etag("stale".to_owned());
            operations.push(Operation::Delete(delete("a", stale)));
        }
        assert_eq!(self.store.transact(operations).await.is_ok(), !fails);
        for (key, value) in writes.into_iter().filter(|_| !fails) {
            match value {
                Some(value) => self.learn(key, value).await,
                None => drop(self.model.remove(KEYS[key])),
            }
        }
    }

    /// Notes a write with the etag that it got; the value is compared with the model afterwards.
    async fn learn(&mut self, key: usize, value: Vec<u8>) {
        let etag = get(&self.store, KEYS[key]).await.map(|entry| entry.etag);
        self.model
            .insert(KEYS[key], (value, etag.unwrap_or_default()));
    }

    async fn compare(&self) {
        for key in KEYS {
            let stored = get(&self.store, key).await;
            let stored = stored.map(|entry| (entry.value.to_vec(), entry.etag));
            assert_eq!(stored.as_ref(), self.model.get(key), "{key}");
        }
        let page = self.store.list_keys("a", 100, None).await.unwrap();
        let keys = self.model.keys().filter(|key| key.starts_with('a'));
        assert_eq!(page.keys, keys.copied().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_leaves_what_a_map_would_hold(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let scratch = Scratch::new();
            let store = open_in(&scratch).await;
            let mut checked = Checked { scratch, store, model: BTreeMap::new() };
            for step in steps {
                checked.take(step).await;
            }
        });
    }
}
