mod faults;
mod opening;
mod tables;

use super::*;
use crate::scratch::{context, metadata, try_metadata};
use berth_blocks::{
    conformance::{Subject, eventually, state::set},
    registry::Connections,
    state::Precondition,
    state_conformance,
};
use berth_servers::{Postgres, PostgresDatabase};
use std::path::Path;
use uuid::Uuid;

type Entries<'a> = Vec<(&'a str, &'a str)>;

async fn opened(url: &str, more: &[(&str, &str)]) -> PostgresqlState {
    attempt(url, more).await.unwrap()
}

/// As a host of its own does: it shares no connection with another.
async fn attempt(url: &str, more: &[(&str, &str)]) -> Result<PostgresqlState, OpenError> {
    let mut entries: Entries<'_> = vec![("connectionString", url)];
    entries.extend(more);
    let opened = open(context(Path::new("/nowhere")), metadata(&entries)).await;
    opened.map(|(state, _)| state)
}

async fn refused(url: &str, more: &[(&str, &str)]) -> String {
    match attempt(url, more).await {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn open_for_test() -> Subject<dyn StateStore> {
    open_with(&[]).await
}

async fn open_with(more: &'static [(&str, &str)]) -> Subject<dyn StateStore> {
    let database = Postgres::shared().await;
    let url = database.url();
    let store: Arc<dyn StateStore> = Arc::new(opened(&url, more).await);
    Subject::new(store).keeping(database).reopened_by(move || {
        let url = url.clone();
        async move { Arc::new(opened(&url, more).await) as Arc<dyn StateStore> }
    })
}

state_conformance!(conformance: open_for_test);

/// For poolers: no statement is prepared.
async fn open_unprepared() -> Subject<dyn StateStore> {
    open_with(&[("queryExecMode", "exec"), ("tablePrefix", "public.p_")]).await
}

state_conformance!(unprepared: open_unprepared);

async fn get(store: &PostgresqlState, key: &str) -> Option<Entry> {
    store.get(key, &GetOptions::default()).await.unwrap()
}

async fn value(store: &PostgresqlState, key: &str) -> Option<String> {
    let entry = get(store, key).await?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn a_key_with_nul_is_refused_clearly() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[]).await;
    let refusal = StateError::Invalid(
        "key `a\\0b` holds the character NUL, which PostgreSQL cannot store in text".to_owned(),
    );
    assert_eq!(store.set(set("a\0b", "v")).await, Err(refusal.clone()));
    assert_eq!(
        store.get("a\0b", &GetOptions::default()).await,
        Err(refusal.clone())
    );
    assert_eq!(store.list_keys("a\0b", 1, None).await, Err(refusal.clone()));
    store.set(set("a", "v")).await.unwrap();
    let keys = ["a".to_owned(), "a\0b".to_owned()];
    let answers = store.bulk_get(&keys, &GetOptions::default()).await;
    assert!(answers[0].as_ref().unwrap().is_some());
    assert_eq!(answers[1], Err(refusal));
    // Values may hold it.
    store.set(set("n", "\0")).await.unwrap();
    assert_eq!(value(&store, "n").await.as_deref(), Some("\0"));
}

#[tokio::test]
async fn an_etag_that_is_no_uuid_is_invalid() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[]).await;
    let request = SetRequest {
        precondition: Precondition::Etag("7".to_owned()),
        ..set("k", "v")
    };
    assert_eq!(
        store.set(request).await,
        Err(StateError::InvalidEtag(
            "key `k`: etag `7` is no UUID".to_owned()
        ))
    );
}

#[tokio::test]
async fn a_key_that_fits_into_no_index_is_too_large() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[]).await;
    let key: String = (0..2_000).map(|_| Uuid::new_v4().to_string()).collect();
    let answer = store.set(set(&key, "v")).await;
    assert!(matches!(answer, Err(StateError::TooLarge(_))), "{answer:?}");
    // The connection is as good as before.
    store.set(set("k", "v")).await.unwrap();
}

#[tokio::test]
async fn backends_of_equal_settings_share_their_connections() {
    let database = Postgres::shared().await;
    let url = database.url();
    let context = OpenContext {
        connections: Connections::default(),
        ..context(Path::new("/nowhere"))
    };
    let (one, _) = open(context.clone(), metadata(&[("connectionString", &url)]))
        .await
        .unwrap();
    let two = [("connectionString", url.as_str()), ("tablePrefix", "two_")];
    let (two, _) = open(context.clone(), metadata(&two)).await.unwrap();
    assert!(Arc::ptr_eq(&one.database, &two.database));
    one.set(set("k", "one")).await.unwrap();
    assert_eq!(value(&two, "k").await, None);
    let other = [("connectionString", url.as_str()), ("maxConns", "3")];
    let (other, _) = open(context, metadata(&other)).await.unwrap();
    assert!(!Arc::ptr_eq(&one.database, &other.database));
}

/// Connections of drivers to a database.
async fn connections(database: &PostgresDatabase) -> String {
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'berth'";
    database.sql(sessions).await
}

#[tokio::test]
async fn a_dropped_store_leaves_no_connection() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[("maxConns", "5")]).await;
    let operations = || vec![Operation::Set(set("a", "1")), Operation::Set(set("b", "1"))];
    futures::future::join_all((0..20).map(|_| store.transact(operations()))).await;
    assert_ne!(connections(&database).await, "0");
    drop(store);
    eventually("every connection ends", async || {
        connections(&database).await == "0"
    })
    .await;
}

#[tokio::test]
async fn an_abandoned_transaction_changes_nothing_and_holds_no_lock() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[]).await;
    store.set(set("a", "1")).await.unwrap();
    // Somebody else holds the row, so the transaction waits.
    let holder = opened(&database.url(), &[]).await;
    let lock = holder.database.exclusive().await.unwrap();
    let client = lock.begin().await.unwrap();
    client
        .batch_execute("SELECT 1 FROM state WHERE key = 'a' FOR UPDATE")
        .await
        .unwrap();
    let operations = vec![
        Operation::Set(set("new", "2")),
        Operation::Set(set("a", "2")),
    ];
    let waiting =
        tokio::time::timeout(Duration::from_millis(300), store.transact(operations)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    drop(lock);
    store.set(set("a", "3")).await.unwrap();
    assert_eq!(value(&store, "new").await, None);
    assert_eq!(value(&store, "a").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn transactions_on_the_same_keys_do_not_block_each_other() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[("maxConns", "8")]).await;
    for key in ["a", "b"] {
        store.set(set(key, "0")).await.unwrap();
    }
    let transaction = |first: &str, second: &str| {
        store.transact(vec![
            Operation::Set(set(first, "1")),
            Operation::Set(set(second, "1")),
        ])
    };
    let all = (0..64).map(|number| match number % 2 {
        0 => transaction("a", "b"),
        _ => transaction("b", "a"),
    });
    for answer in futures::future::join_all(all).await {
        assert_eq!(answer, Ok(()));
    }
}
