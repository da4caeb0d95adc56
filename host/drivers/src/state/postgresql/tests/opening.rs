//! What is refused when a store is opened, and TLS.

use super::*;
use berth_servers::{Authority, Proxy};

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
