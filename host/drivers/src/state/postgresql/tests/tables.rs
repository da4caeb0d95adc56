//! Dapr's tables: found, made, shared, looked at from outside.

use super::*;

/// As Dapr's second version makes them, at its first step.
const DAPR_LEVEL_1: &str = "
    CREATE TABLE dapr_metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
    INSERT INTO dapr_metadata VALUES ('lock', 'lock'), ('migrations-state-v2-', '1');
    CREATE TABLE state (
      key text NOT NULL PRIMARY KEY,
      value bytea NOT NULL,
      etag uuid NOT NULL DEFAULT gen_random_uuid(),
      created_at timestamp with time zone NOT NULL DEFAULT now(),
      updated_at timestamp with time zone,
      expires_at timestamp with time zone
    );
    CREATE INDEX ON state (expires_at);
    INSERT INTO state (key, value, etag, expires_at) VALUES
      ('app||a', '\\x7b7d', '0f8fad5b-d9cb-469f-a165-70867728950e', NULL),
      ('app||b', 'text', gen_random_uuid(), now() + interval '1 hour'),
      ('app||c', 'gone', gen_random_uuid(), now() - interval '1 second'),
      ('app||d', 'forever', gen_random_uuid(), 'infinity')";

#[tokio::test]
async fn tables_of_dapr_are_used_as_they_are() {
    let database = Postgres::shared().await;
    database.sql(DAPR_LEVEL_1).await;
    let store = opened(&database.url(), &[]).await;
    let entry = get(&store, "app||a").await.unwrap();
    assert_eq!(
        (
            &entry.value[..],
            entry.etag.as_str(),
            entry.expires_at,
            entry.content_type
        ),
        (
            &b"{}"[..],
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            None,
            None
        )
    );
    assert!(get(&store, "app||b").await.unwrap().expires_at.is_some());
    assert_eq!(get(&store, "app||c").await, None);
    assert_eq!(get(&store, "app||d").await.unwrap().expires_at, None);
    let page = store.list_keys("app||", 10, None).await.unwrap();
    assert_eq!(page.keys, ["app||a", "app||b", "app||d"]);
    let stale = SetRequest {
        precondition: Precondition::Etag(entry.etag),
        ..set("app||a", "new")
    };
    assert_eq!(store.set(stale.clone()).await, Ok(()));
    assert!(matches!(
        store.set(stale).await,
        Err(StateError::Conflict(_))
    ));
    // Dapr's second step was made up for: rows have numbers, in the order of their creation.
    let numbers = database
        .sql("SELECT string_agg(key, ' ' ORDER BY row_id) FROM state")
        .await;
    assert_eq!(numbers, "app||a app||b app||c app||d");
    let level = "SELECT value FROM dapr_metadata WHERE key = 'migrations-state-v2-'";
    assert_eq!(database.sql(level).await, "2");
}

#[tokio::test]
async fn what_is_written_is_as_dapr_writes_it() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[("tablePrefix", "my_")]).await;
    store.set(set("app||a", "one")).await.unwrap();
    store.set(set("app||a", "two")).await.unwrap();
    let hour = SetRequest {
        ttl: Some(Duration::from_secs(3600)),
        ..set("app||b", "")
    };
    store.set(hour).await.unwrap();
    let rows = database
        .sql(
            "SELECT key, convert_from(value, 'UTF8'), substr(etag::text, 15, 1), updated_at IS NOT NULL,
             round(extract(epoch FROM expires_at - created_at)), row_id IS NOT NULL FROM my_state ORDER BY key",
        )
        .await;
    assert_eq!(rows, "app||a|two|4|t||t\napp||b||4|f|3600|t");
    // What Dapr's own statements do to it is seen.
    database
        .sql(
            "INSERT INTO my_state AS t (key, value, etag, expires_at) VALUES ('app||a', 'three', gen_random_uuid(), NULL)
             ON CONFLICT (key) DO UPDATE SET value = 'three', updated_at = now(), etag = gen_random_uuid()",
        )
        .await;
    assert_eq!(value(&store, "app||a").await.as_deref(), Some("three"));
    let columns = database
        .sql(
            "SELECT string_agg(column_name || ' ' || data_type || ' ' || is_nullable, ', ' ORDER BY ordinal_position)
             FROM information_schema.columns WHERE table_name = 'my_state'",
        )
        .await;
    assert_eq!(
        columns,
        "key text NO, value bytea NO, etag uuid NO, created_at timestamp with time zone NO, \
         updated_at timestamp with time zone YES, expires_at timestamp with time zone YES, row_id bigint NO"
    );
    let indexes = database
        .sql("SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'my_state'")
        .await;
    assert_eq!(
        indexes,
        "my_state_expires_at_idx my_state_key_c my_state_pkey my_state_row_id_uidx"
    );
    let record = "SELECT key, value FROM dapr_metadata ORDER BY key";
    assert_eq!(
        database.sql(record).await,
        "lock|lock\nmigrations-state-v2-my_|2"
    );
}

#[tokio::test]
async fn media_types_are_kept_beside_and_go_with_their_values() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[]).await;
    let typed = |value: &str| SetRequest {
        content_type: Some("text/plain".to_owned()),
        ..set("k", value)
    };
    store.set(typed("1")).await.unwrap();
    let etag = get(&store, "k").await.unwrap().etag;
    let update = SetRequest {
        precondition: Precondition::Etag(etag),
        ..typed("2")
    };
    store
        .transact(vec![Operation::Set(update), Operation::Set(set("l", "3"))])
        .await
        .unwrap();
    assert_eq!(
        get(&store, "k").await.unwrap().content_type.as_deref(),
        Some("text/plain")
    );
    let keys = ["k".to_owned(), "l".to_owned()];
    let bulk = store.bulk_get(&keys, &GetOptions::default()).await;
    let types: Vec<_> = bulk
        .into_iter()
        .map(|entry| entry.unwrap().unwrap().content_type)
        .collect();
    assert_eq!(types, [Some("text/plain".to_owned()), None]);
    // Dapr writes the value anew: it has no media type now.
    database
        .sql("UPDATE state SET value = '4', etag = gen_random_uuid()")
        .await;
    assert_eq!(get(&store, "k").await.unwrap().content_type, None);
    assert_eq!(
        database
            .sql("SELECT count(*) FROM state_content_type")
            .await,
        "1"
    );
}

#[tokio::test]
async fn hosts_that_start_together_make_the_tables_once() {
    let database = Postgres::shared().await;
    let url = database.url();
    let stores = futures::future::join_all((0..6).map(|_| opened(&url, &[]))).await;
    for (number, store) in stores.iter().enumerate() {
        store.set(set(&number.to_string(), "v")).await.unwrap();
    }
    assert_eq!(
        stores[0].list_keys("", 10, None).await.unwrap().keys.len(),
        6
    );
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'state'";
    assert_eq!(database.sql(indexes).await, "4");
}

#[tokio::test]
async fn tables_of_a_newer_dapr_are_left_alone() {
    let database = Postgres::shared().await;
    database.sql(DAPR_LEVEL_1).await;
    database
        .sql("UPDATE dapr_metadata SET value = '9' WHERE key LIKE 'migrations%'")
        .await;
    let told = refused(&database.url(), &[]).await;
    assert_eq!(
        told,
        "preparing tables: table \"dapr_metadata\" says that a newer Dapr has made the tables (migrations = 9, known is \
         2): use another `tablePrefix`"
    );
}

#[tokio::test]
async fn a_role_that_may_not_make_tables_uses_those_of_dapr() {
    let database = Postgres::shared().await;
    let role = format!("guest_{}", database.name);
    database.sql(DAPR_LEVEL_1).await;
    // Brought to the second step by somebody else, but without what Dapr does not make.
    drop(opened(&database.url(), &[]).await);
    database
        .sql(&format!(
            "DROP INDEX state_key_c; DROP TABLE state_content_type;
             CREATE ROLE {role} LOGIN PASSWORD 'p';
             GRANT SELECT, INSERT, UPDATE, DELETE ON state, dapr_metadata TO {role}"
        ))
        .await;
    let store = opened(&database.url(), &[("user", &role), ("password", "p")]).await;
    assert!(!store.capabilities().content_type);
    let typed = SetRequest {
        content_type: Some("text/plain".to_owned()),
        ..set("k", "v")
    };
    store.set(typed).await.unwrap();
    assert_eq!(value(&store, "k").await.as_deref(), Some("v"));
    assert_eq!(store.list_keys("k", 10, None).await.unwrap().keys, ["k"]);
    drop(store);
    database
        .sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

#[tokio::test]
async fn reads_use_indexes() {
    let database = Postgres::shared().await;
    let store = opened(&database.url(), &[]).await;
    for statement in store.table.reading() {
        let parameters = statement.text().matches('$').count();
        let values = ["'a'", "10", "'b'"][..parameters].join(", ");
        let plan = database
            .sql(&format!(
                "SET enable_seqscan = off; SET enable_sort = off; SET plan_cache_mode = force_generic_plan;
                 PREPARE p AS {}; EXPLAIN (COSTS OFF) EXECUTE p({values})",
                statement.text()
            ))
            .await;
        let index = if parameters == 1 {
            "state_pkey"
        } else {
            "state_key_c"
        };
        assert!(plan.contains(&format!("using {index}")), "{plan}");
        assert!(!plan.contains("Sort"), "{plan}");
    }
}

#[tokio::test]
async fn expired_rows_are_deleted_by_one_host() {
    let database = Postgres::shared().await;
    let url = database.url();
    let never = opened(&url, &[("cleanupInterval", "-1")]).await;
    let short = SetRequest {
        ttl: Some(Duration::from_millis(1)),
        content_type: Some("text/plain".to_owned()),
        ..set("short", "v")
    };
    never.set(short).await.unwrap();
    never.set(set("kept", "v")).await.unwrap();
    let _hosts = (
        opened(&url, &[("cleanupInterval", "1")]).await,
        opened(&url, &[("cleanupInterval", "1s")]).await,
    );
    let left = "SELECT (SELECT count(*) FROM state) + (SELECT count(*) FROM state_content_type)";
    eventually("the expired row is deleted", async || {
        database.sql(left).await == "1"
    })
    .await;
    let record = "SELECT count(*) FROM dapr_metadata WHERE key = 'last-cleanup-state-v2-'";
    assert_eq!(database.sql(record).await, "1");
}
