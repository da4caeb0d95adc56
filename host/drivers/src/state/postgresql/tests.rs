use super::*;
use crate::scratch::{context, metadata, try_metadata};
use berth_blocks::{
    conformance::{Subject, eventually},
    registry::Connections,
    state::Precondition,
    state_conformance,
};
use berth_servers::{Authority, Postgres, PostgresDatabase, Proxy};
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
    open(context(Path::new("/nowhere")), metadata(&entries)).await
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

fn set(key: &str, value: &str) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: value.to_owned().into(),
        precondition: Precondition::None,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

async fn get(store: &PostgresqlState, key: &str) -> Option<Entry> {
    store.get(key, &GetOptions::default()).await.unwrap()
}

async fn value(store: &PostgresqlState, key: &str) -> Option<String> {
    let entry = get(store, key).await?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

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

#[tokio::test]
async fn backends_of_equal_settings_share_their_connections() {
    let database = Postgres::shared().await;
    let url = database.url();
    let context = OpenContext {
        connections: Connections::default(),
        ..context(Path::new("/nowhere"))
    };
    let one = open(context.clone(), metadata(&[("connectionString", &url)]))
        .await
        .unwrap();
    let two = [("connectionString", url.as_str()), ("tablePrefix", "two_")];
    let two = open(context.clone(), metadata(&two)).await.unwrap();
    assert!(Arc::ptr_eq(&one.database, &two.database));
    one.set(set("k", "one")).await.unwrap();
    assert_eq!(value(&two, "k").await, None);
    let other = [("connectionString", url.as_str()), ("maxConns", "3")];
    let other = open(context, metadata(&other)).await.unwrap();
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
async fn what_is_refused_at_open_says_why() {
    let database = Postgres::shared().await;
    let (name, port) = (&database.name, database.port);
    let at = |host: &str, port: u16| format!("PostgreSQL database `{name}` at {host}:{port}");
    let free = berth_servers::free_port();
    let told = refused(&database.url_through(free), &[]).await;
    assert_eq!(
        told,
        format!(
            "{}: Connection refused (os error 111): check host and port, and that the server runs",
            at("127.0.0.1", free)
        )
    );
    let told = refused(&database.url(), &[("host", "nowhere.invalid")]).await;
    assert!(told.starts_with(&at("nowhere.invalid", port)), "{told}");
    assert!(
        told.ends_with("the name is not known, check `host`"),
        "{told}"
    );
    let told = refused(&database.url(), &[("password", "hunter2")]).await;
    assert_eq!(
        told,
        format!(
            "{}: password authentication failed for user \"postgres\" (28P01): check `user` and `password`",
            at("127.0.0.1", port)
        )
    );
    let told = refused(&database.url(), &[("database", "missing")]).await;
    assert_eq!(
        told,
        format!(
            "PostgreSQL database `missing` at 127.0.0.1:{port}: database \"missing\" does not exist (3D000): create the \
             database, or name another in `database`"
        )
    );
    let told = refused(&format!("{}?sslmode=require", database.url()), &[]).await;
    assert_eq!(
        told,
        format!(
            "{}: TLS: server does not support TLS: turn on `ssl` at the server, or set `sslmode=disable`",
            at("127.0.0.1", port)
        )
    );
    let told = refused(&database.url(), &[("tablePrefix", "missing.")]).await;
    assert_eq!(
        told,
        format!(
            "preparing tables: {}: schema \"missing\" does not exist (3F000): create it",
            at("127.0.0.1", port)
        )
    );
    // Something that is no PostgreSQL.
    let proxy = Proxy::before(free).await;
    let told = refused(&database.url_through(proxy.port()), &[]).await;
    assert!(told.starts_with(&at("127.0.0.1", proxy.port())), "{told}");
    assert!(!told.contains(PostgresDatabase::PASSWORD), "{told}");
}

#[test]
fn what_is_wrong_in_metadata_is_named() {
    let errors = [
        vec![("timeout", "500ms")],
        vec![("cleanupInterval", "soon")],
        vec![("queryExecMode", "fast")],
        vec![("useAzureAD", "true")],
        vec![("host", "db")],
        vec![("connectionString", "user=a password=hunter2 hunter2")],
    ];
    let errors = errors.map(|entries| {
        let parsed: Result<PostgresqlMetadata, _> = try_metadata(&entries);
        match parsed.and_then(|metadata| metadata.settings()) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    });
    assert_eq!(
        errors,
        [
            "metadata `timeout`: 500ms is too short: expected at least 1s",
            "metadata `cleanupInterval`: expected a duration such as `500ms`, `5s` or `1h30m`, found `soon`",
            "metadata `queryExecMode`: `fast` is not one of: cache_statement, cache_describe, describe_exec, exec, \
             simple_protocol",
            "metadata `useAzureAD`: not supported: set `user` and `password`",
            "metadata `user`: missing, but required",
            "metadata `connectionString`: character 25: expected `name=value`, or a URL such as \
             `postgres://user@host/database`",
        ]
    );
}

#[tokio::test]
async fn tls_checks_what_sslmode_says() {
    let authority = Authority::new();
    let server = Postgres::start_tls(&authority).await;
    let database = server.database().await;
    let other = Authority::new();
    let root = authority.certificate().display().to_string();
    let wrong_root = other.certificate().display().to_string();
    let url = |host: &str, more: &str| {
        format!(
            "host={host} port={} user=postgres password={} dbname={} {more}",
            database.port,
            PostgresDatabase::PASSWORD,
            database.name
        )
    };
    for good in [
        url(
            "localhost",
            &format!("sslmode=verify-full sslrootcert={root}"),
        ),
        url(
            "127.0.0.1",
            &format!("sslmode=verify-ca sslrootcert={root}"),
        ),
        url("127.0.0.1", "sslmode=require"),
        url("127.0.0.1", ""),
    ] {
        let store = opened(&good, &[]).await;
        store.set(set("k", "v")).await.unwrap();
    }
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = current_database()";
    assert_eq!(database.sql(encrypted).await, "t");
    let refusals = [
        (
            url(
                "localhost",
                &format!("sslmode=verify-full sslrootcert={wrong_root}"),
            ),
            "not of the authority in `sslrootcert`",
        ),
        (
            url(
                "localhost",
                &format!("sslmode=require sslrootcert={wrong_root}"),
            ),
            "not of the authority in `sslrootcert`",
        ),
        (
            url("localhost", "sslmode=verify-full"),
            "of no authority that the system knows: set `sslrootcert`",
        ),
        (
            url(
                "127.0.0.1",
                &format!("sslmode=verify-full sslrootcert={root}"),
            ),
            "name that one, or set `sslmode=verify-ca`",
        ),
        (url("localhost", "sslmode=disable"), "set `sslmode=require`"),
    ];
    for (url, expected) in refusals {
        let told = refused(&url, &[]).await;
        assert!(told.ends_with(expected), "{told}");
        assert!(!told.contains(PostgresDatabase::PASSWORD), "{told}");
    }
}

#[tokio::test]
async fn a_certificate_of_the_client_is_a_login() {
    let authority = Authority::new();
    let server = Postgres::start_tls(&authority).await;
    let database = server.database().await;
    database.sql("CREATE ROLE certified LOGIN SUPERUSER").await;
    let client = authority.issue("certified");
    let url = format!(
        "host=localhost port={} user=certified dbname={} sslmode=verify-full sslrootcert={} sslcert={} sslkey={}",
        database.port,
        database.name,
        authority.certificate().display(),
        client.certificate.display(),
        client.key.display()
    );
    let store = opened(&url, &[]).await;
    store.set(set("k", "v")).await.unwrap();
    assert_eq!(value(&store, "k").await.as_deref(), Some("v"));
}

/// Writes from several tasks until it is stopped; what was acknowledged is in the answer.
struct Load {
    writers: Vec<tokio::task::JoinHandle<Vec<String>>>,
    stop: Arc<tokio::sync::watch::Sender<bool>>,
}

impl Load {
    fn start(store: &Arc<PostgresqlState>) -> Self {
        let stop = Arc::new(tokio::sync::watch::Sender::new(false));
        let writers = (0..8).map(|writer| {
            let (store, stopped) = (store.clone(), stop.subscribe());
            tokio::spawn(async move {
                let mut written = Vec::new();
                for number in 0.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let key = format!("{writer}-{number}");
                    let answer = if number % 4 == 0 {
                        let operations = [set(&key, "v"), set(&format!("{key}-twin"), "v")];
                        let operations = operations.map(Operation::Set).to_vec();
                        store.transact(operations).await
                    } else {
                        store.set(set(&key, "v")).await
                    };
                    match answer {
                        Ok(()) => written.push(key),
                        Err(StateError::Unavailable(_) | StateError::Timeout(_)) => {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
                written
            })
        });
        Self {
            writers: writers.collect(),
            stop,
        }
    }

    async fn stop(self) -> Vec<String> {
        self.stop.send_replace(true);
        let mut written = Vec::new();
        for writer in self.writers {
            written.extend(writer.await.unwrap());
        }
        written
    }
}

async fn all_there(store: &PostgresqlState, written: &[String]) {
    let found = store.bulk_get(written, &GetOptions::default()).await;
    let lost: Vec<_> = written
        .iter()
        .zip(found)
        .filter(|(_, entry)| entry.as_ref().unwrap().is_none())
        .collect();
    assert_eq!(lost, []);
}

async fn answers(store: &PostgresqlState) -> bool {
    store.ping().await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_an_outage_and_loses_nothing_acknowledged() {
    let mut server = Postgres::start().await;
    let database = server.database().await;
    let store = Arc::new(opened(&database.url(), &[("timeout", "2s")]).await);
    let load = Load::start(&store);
    let rows = "SELECT count(*) > 50 FROM state";
    eventually("the load runs", async || database.sql(rows).await == "t").await;
    server.kill();
    let gone = async || matches!(store.ping().await, Err(StateError::Unavailable(_)));
    eventually("calls fail", gone).await;
    // Not one by one after a timeout each: all of them at once.
    let began = std::time::Instant::now();
    for _ in 0..200 {
        assert!(store.get("k", &GetOptions::default()).await.is_err());
        let operations = vec![Operation::Set(set("a", "1")), Operation::Set(set("b", "1"))];
        assert!(store.transact(operations).await.is_err());
    }
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "calls do not fail fast"
    );
    server.restart().await;
    eventually("calls succeed again", async || answers(&store).await).await;
    let written = load.stop().await;
    assert!(!written.is_empty());
    all_there(&store, &written).await;
    drop(store);
    eventually("every connection ends", async || {
        connections(&database).await == "0"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_given_up_and_found_again() {
    let server = Postgres::start().await;
    let database = server.database().await;
    let url = format!("{}?connect_timeout=1", database.url());
    let store = Arc::new(opened(&url, &[("timeout", "2s")]).await);
    store.set(set("k", "v")).await.unwrap();
    server.freeze();
    let answer = store.get("k", &GetOptions::default()).await;
    assert!(
        matches!(
            answer,
            Err(StateError::Timeout(_) | StateError::Unavailable(_))
        ),
        "{answer:?}"
    );
    let given_up = async || {
        let answer = store.get("k", &GetOptions::default()).await;
        matches!(answer, Err(StateError::Unavailable(text)) if text.contains("not connected within 1s"))
    };
    eventually("the server is given up", given_up).await;
    server.thaw();
    let found = async || matches!(store.get("k", &GetOptions::default()).await, Ok(Some(_)));
    eventually("the server is found again", found).await;
    drop(store);
    eventually("every connection ends", async || {
        connections(&database).await == "0"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_breaks_under_load_loses_nothing_acknowledged() {
    let database = Postgres::shared().await;
    let proxy = Proxy::before(database.port).await;
    let url = database.url_through(proxy.port());
    let store = Arc::new(opened(&url, &[("timeout", "5s")]).await);
    let load = Load::start(&store);
    for round in 1..4 {
        let rows = format!("SELECT count(*) > {} FROM state", round * 50);
        eventually("the load runs", async || database.sql(&rows).await == "t").await;
        proxy.break_connections();
    }
    proxy.cut();
    let gone = async || matches!(store.ping().await, Err(StateError::Unavailable(_)));
    eventually("calls fail", gone).await;
    proxy.mend();
    eventually("calls succeed again", async || answers(&store).await).await;
    let written = load.stop().await;
    all_there(&store, &written).await;
    drop(store);
    eventually("every connection ends", async || {
        connections(&database).await == "0"
    })
    .await;
}

#[tokio::test]
async fn transactions_that_block_each_other_may_be_tried_again() {
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
    // PostgreSQL takes a second to see each deadlock.
    let all = (0..8).map(|number| match number % 2 {
        0 => transaction("a", "b"),
        _ => transaction("b", "a"),
    });
    for answer in futures::future::join_all(all).await {
        assert!(
            matches!(answer, Ok(()) | Err(StateError::Unavailable(_))),
            "{answer:?}"
        );
    }
}
