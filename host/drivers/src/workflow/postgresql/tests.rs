mod faults;
mod hosts;

use super::*;
use crate::{
    postgresql::{Given, Settings},
    scratch::context,
    workflow::acts::*,
};
use berth_blocks::conformance::Subject;
use berth_servers::Postgres;
use std::{path::Path, time::Duration};

/// As a host of its own does: it shares no connection with another.
async fn open(url: &str) -> Arc<dyn WorkflowStore> {
    open_as(url, "", None).await
}

async fn open_as(
    url: &str,
    prefix: &str,
    query_mode: Option<crate::postgresql::QueryMode>,
) -> Arc<dyn WorkflowStore> {
    let settings = Settings::new(&Given {
        connection_string: Some(url),
        fields: Vec::new(),
        max_connections: None,
        max_idle: None,
        query_mode,
        timeout: Duration::from_secs(5),
    });
    let database = Database::shared(&context(Path::new("/nowhere")), settings.unwrap())
        .await
        .unwrap();
    // The state of the same settings makes this table.
    let connection = database.exclusive().await.unwrap();
    let client = connection.begin().await.unwrap();
    client
        .batch_execute(
            "SELECT pg_advisory_xact_lock(1); \
             CREATE TABLE IF NOT EXISTS dapr_metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL)",
        )
        .await
        .unwrap();
    connection.commit().await.unwrap();
    let quoted = |name: &str| format!("\"{prefix}{name}\"");
    let tables = Tables::new(quoted, "\"dapr_metadata\"", prefix);
    Arc::new(PostgresqlWorkflows::new(database, tables))
}

async fn open_for_test() -> Subject<dyn WorkflowStore> {
    let database = Postgres::shared().await;
    let url = database.url();
    Subject::new(open(&url).await)
        .keeping(database)
        .reopened_by(move || {
            let url = url.clone();
            async move { open(&url).await }
        })
}

berth_blocks::workflow_conformance!(conformance: open_for_test);

/// For poolers: no statement is prepared.
async fn open_unprepared() -> Subject<dyn WorkflowStore> {
    let database = Postgres::shared().await;
    let mode = Some(crate::postgresql::QueryMode::Unnamed);
    Subject::new(open_as(&database.url(), "p_", mode).await).keeping(database)
}

berth_blocks::workflow_conformance!(unprepared: open_unprepared);

/// One that PostgreSQL cannot store fails, and only that one.
#[tokio::test]
async fn a_commit_that_cannot_be_stored_harms_no_other() {
    let database = Postgres::shared().await;
    let store = open(&database.url()).await;
    store.join("host", NOW, LATER).await.unwrap();
    let good = create(&*store, "good", Some("host")).await;
    let bad = create(&*store, "bad", Some("host")).await;
    let mut refused = next(&bad);
    refused.state.code = Some("nul\0".to_owned());
    let mut kept = next(&good);
    kept.state.custom_status = Some("nul\0".to_owned());
    let (refused, kept) = tokio::join!(store.commit(refused), store.commit(kept));
    assert!(
        matches!(refused, Err(WorkflowStoreError::Other(_))),
        "{refused:?}"
    );
    assert_eq!(kept, Ok(good.version + 1));
    let shown = row(&*store, "good").await.state.custom_status;
    assert_eq!(shown.as_deref(), Some("nul\u{fffd}"));
    assert_eq!(row(&*store, "bad").await.version, bad.version);
}

/// Nothing but the rows of hosts, in any table.
#[tokio::test]
async fn a_purge_leaves_no_row_in_any_table() {
    let database = Postgres::shared().await;
    let store = open(&database.url()).await;
    store.join("host", NOW, LATER).await.unwrap();
    store.create(full(key("a"), None), &[]).await.unwrap();
    let once = Message {
        dedup: Some("id".to_owned()),
        ..message("once")
    };
    store.send(&key("a"), once).await.unwrap();
    assert!(store.purge(&key("a"), true).await.unwrap());
    for table in ["instance", "event", "message", "blob", "task"] {
        let rows = database
            .sql(&format!("SELECT count(*) FROM workflow_{table}"))
            .await;
        assert_eq!(rows, "0", "{table}");
    }
}

/// The tables of a newer berth are left alone.
#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let database = Postgres::shared().await;
    open(&database.url())
        .await
        .join("host", NOW, LATER)
        .await
        .unwrap();
    database
        .sql("UPDATE dapr_metadata SET value = '99' WHERE key LIKE 'berth-workflow-%'")
        .await;
    let refused = open(&database.url()).await.join("host", NOW, LATER).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("a newer berth has made the tables"), "{text}");
    assert!(!text.contains(berth_servers::PostgresDatabase::PASSWORD));
}
