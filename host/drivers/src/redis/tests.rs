//! The shared connection against private servers.

use super::*;
use crate::scratch::{context, try_metadata};
use berth_servers::{
    Authority, ClientTls, Redis as Server, RedisCluster, RedisOptions, RedisSentinel, free_port,
};
use redis::cmd;
use std::time::Duration;

redis_metadata! {
    /// Nothing but the common fields.
    struct Common {}
}

const PASSWORD: &str = "correct-horse";

fn settings(entries: &[(&str, &str)]) -> Result<Settings, OpenError> {
    try_metadata::<Common>(entries)?.connection().settings()
}

fn wrong(entries: &[(&str, &str)]) -> String {
    settings(entries).unwrap_err().to_string()
}

async fn open(entries: &[(&str, &str)]) -> Result<Arc<Redis>, OpenError> {
    Redis::shared(&context("/nowhere".as_ref()), settings(entries)?).await
}

/// Why it cannot be opened, with the server's address taken out.
async fn refusal(entries: &[(&str, &str)]) -> String {
    let text = open(entries).await.unwrap_err().to_string();
    assert!(!text.contains(PASSWORD), "{text}");
    let host = entries[0].1;
    assert!(text.contains(host), "{text} does not name {host}");
    text.replace(host, "HOST")
}

#[test]
fn metadata_that_does_not_fit_is_refused_by_name() {
    let host = ("redisHost", "a:1");
    assert_eq!(wrong(&[]), "metadata `redisHost`: missing, but required");
    assert_eq!(
        wrong(&[("redisHost", " ,")]),
        "metadata `redisHost`: empty: expected `host:port`"
    );
    for bad in ["a:port", "redis://a:1", ":1", "[::1"] {
        assert_eq!(
            wrong(&[("redisHost", bad)]),
            format!("metadata `redisHost`: `{bad}` is no address: expected `host:port`")
        );
    }
    assert_eq!(
        wrong(&[("redisHost", "a:1,b:2")]),
        "metadata `redisHost`: several addresses: expected one, or `redisType: cluster`, or `failover`"
    );
    assert_eq!(
        wrong(&[host, ("redisPort", "2")]),
        "metadata `redisPort`: `a:1` names port 1, but `redisPort` is 2"
    );
    assert_eq!(
        wrong(&[host, ("failover", "true")]),
        "metadata `sentinelMasterName`: missing, but `failover` needs it"
    );
    assert_eq!(
        wrong(&[host, ("redisType", "cluster"), ("redisDB", "1")]),
        "metadata `redisDB`: a Cluster has only database 0"
    );
    assert_eq!(
        wrong(&[host, ("redisType", "ring")]),
        "metadata `redisType`: `ring` is not one of: node, cluster"
    );
    assert_eq!(
        wrong(&[host, ("enableTLS", "true"), ("clientCert", "x")]),
        "metadata `clientKey`: missing, but `clientCert` is set"
    );
    assert_eq!(
        wrong(&[host, ("enableTLS", "true"), ("caCert", "/etc/ca.pem")]),
        "metadata `caCert`: expected a certificate in PEM"
    );
    assert_eq!(
        wrong(&[host, ("useEntraID", "true")]),
        "metadata `useEntraID`: not supported: use `redisPassword` instead"
    );
    assert_eq!(
        wrong(&[host, ("dialTimeout", "soon")]),
        "metadata `dialTimeout`: expected a duration such as `500ms`, `5s` or `1h30m`, found `soon`"
    );
}

#[test]
fn addresses_and_times_are_read_as_dapr_reads_them() {
    let read = |entries: &[(&str, &str)]| settings(entries).unwrap();
    assert_eq!(read(&[("redisHost", "a")]).location(), "Redis at a:6379");
    assert_eq!(
        read(&[("redisHost", "[::1]:7")]).location(),
        "Redis at [::1]:7"
    );
    let cluster = [
        ("redisHost", "a, b:2"),
        ("redisPort", "0"),
        ("redisType", "Cluster"),
    ];
    assert_eq!(read(&cluster).location(), "Redis Cluster at a:6379,b:2");
    let host = ("redisHost", "a");
    let timeout = |text| read(&[host, ("readTimeout", text)]).response_timeout;
    assert_eq!(timeout("250"), Some(Duration::from_millis(250)));
    assert_eq!(timeout("2s"), Some(Duration::from_secs(2)));
    assert_eq!(timeout("0"), Some(Duration::from_secs(3)));
    assert_eq!(timeout("-1"), None);
    let without_effect = [
        host,
        ("poolSize", "20"),
        ("minIdleConns", "5"),
        ("maxConnAge", "-1"),
        ("writeTimeout", "3s"),
        ("redisMaxRetries", "-1"),
    ];
    assert_eq!(read(&without_effect).redirections, 0);
}

#[test]
fn only_equal_settings_share_and_no_secret_is_shown() {
    let of = |more: &[(&str, &str)]| {
        let entries = [&[("redisHost", "a")], more].concat();
        settings(&entries).unwrap()
    };
    let password = [("redisPassword", PASSWORD)];
    let same = of(&password);
    assert_eq!(of(&password).identity(), same.identity());
    for other in [
        of(&[]),
        of(&[("redisPassword", "another")]),
        of(&[password[0], ("redisUsername", "u")]),
        of(&[password[0], ("redisDB", "1")]),
        of(&[password[0], ("enableTLS", "true")]),
        of(&[password[0], ("readTimeout", "1s")]),
        of(&password).apart_for("strong"),
    ] {
        assert_ne!(other.identity(), same.identity());
    }
    let sentinel = of(&[
        ("failover", "true"),
        ("sentinelMasterName", "m"),
        ("sentinelPassword", PASSWORD),
    ]);
    for shown in [
        format!("{same:?}{}", same.identity()),
        format!("{sentinel:?}{}", sentinel.identity()),
    ] {
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

#[tokio::test]
async fn each_way_to_fail_has_its_own_text() {
    let nobody = format!("127.0.0.1:{}", free_port());
    assert_eq!(
        refusal(&[("redisHost", &nobody)]).await,
        "Redis at HOST: connection refused: is the server running, and is the port of `redisHost` right?"
    );
    let name = refusal(&[("redisHost", "no-such-host.invalid:6379")]).await;
    assert!(
        name.starts_with("Redis at HOST: the name `no-such-host.invalid` cannot be resolved (")
            && name.ends_with("): check `redisHost`"),
        "{name}"
    );

    let server = Server::start(RedisOptions::new().with(&["requirepass", PASSWORD])).await;
    let host = ("redisHost", &*server.address());
    assert_eq!(
        refusal(&[host]).await,
        "Redis at HOST: NOAUTH Authentication required.: the server wants a password: set `redisPassword`"
    );
    let refused =
        "Redis at HOST: user or password refused: check `redisUsername` and `redisPassword`";
    assert_eq!(
        refusal(&[host, ("redisPassword", "a guess")]).await,
        refused
    );
    assert_eq!(
        refusal(&[
            host,
            ("redisUsername", "nobody"),
            ("redisPassword", PASSWORD)
        ])
        .await,
        refused
    );
    let database = refusal(&[host, ("redisPassword", PASSWORD), ("redisDB", "99")]).await;
    assert!(database.contains("check `redisDB`"), "{database}");
    let cluster = refusal(&[host, ("redisPassword", PASSWORD), ("redisType", "cluster")]).await;
    assert!(cluster.contains("set `redisType: node`"), "{cluster}");
    // It waits for the end of what it takes for a command.
    let quick = ("dialTimeout", "300ms");
    assert_eq!(
        refusal(&[host, ("enableTLS", "true"), quick]).await,
        "Redis at HOST: not within 300ms (`dialTimeout`): TLS: no handshake: the server may not speak TLS at this \
         port: check `redisHost` and `enableTLS`"
    );
    assert!(open(&[host, ("redisPassword", PASSWORD)]).await.is_ok());

    server.freeze();
    assert_eq!(
        refusal(&[host, quick]).await,
        "Redis at HOST: not within 300ms (`dialTimeout`): connected, but it does not answer: is it overloaded?"
    );
    server.thaw();
}

#[tokio::test]
async fn a_user_of_an_access_list_may_do_what_it_says() {
    let user = [
        "user",
        "app",
        "on",
        ">correct-horse",
        "~own:*",
        "+@all",
        "-role",
        "-flushall",
    ];
    let server = Server::start(RedisOptions::new().with(&user)).await;
    let redis = open(&[
        ("redisHost", &server.address()),
        ("redisUsername", "app"),
        ("redisPassword", PASSWORD),
    ])
    .await
    .unwrap();
    assert!(redis.call(cmd("SET").arg("own:k").arg("v")).await.is_ok());
    for refused in [cmd("SET").arg("other").arg("v"), &mut cmd("FLUSHALL")] {
        let failure = redis.call(refused).await.unwrap_err();
        assert_eq!(
            (failure.fault, failure.code()),
            (Fault::Auth, Some("NOPERM"))
        );
    }
}

#[tokio::test]
async fn tls_trusts_whom_it_should() {
    let authority = Authority::new();
    let own = authority.issue("localhost");
    let options = RedisOptions::new().tls(&authority, &own, ClientTls::Anonymous);
    let server = Server::start(options).await;
    let host = format!("localhost:{}", server.port());
    let (host, tls) = (("redisHost", &*host), ("enableTLS", "true"));
    let trusted = std::fs::read_to_string(authority.certificate()).unwrap();
    let trusted = ("caCert", &*trusted);
    let redis = open(&[host, tls, trusted]).await.unwrap();
    assert!(redis.call(&cmd("PING")).await.is_ok());
    let stranger = refusal(&[host, tls]).await;
    assert!(
        stranger.contains("TLS: ") && stranger.contains("set `caCert`"),
        "{stranger}"
    );
    let address = server.address();
    let other_name = refusal(&[("redisHost", &address), tls, trusted]).await;
    assert!(other_name.contains("for another name"), "{other_name}");
    let insecure = ("insecureSkipTLSVerify", "true");
    assert!(
        open(&[("redisHost", &address), tls, insecure])
            .await
            .is_ok()
    );
    let plain = refusal(&[host]).await;
    assert!(
        plain.contains("does it expect TLS (`enableTLS`)?"),
        "{plain}"
    );
}

#[tokio::test]
async fn a_client_certificate_opens_the_door() {
    let authority = Authority::new();
    let (own, client) = (authority.issue("localhost"), authority.issue("client"));
    let options = RedisOptions::new().tls(&authority, &own, ClientTls::Asked);
    let server = Server::start(options).await;
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let (host, trusted) = (
        format!("localhost:{}", server.port()),
        read(&authority.certificate()),
    );
    let (certificate, key) = (read(&client.certificate), read(&client.key));
    let entries = [
        ("redisHost", &*host),
        ("enableTLS", "true"),
        ("caCert", &trusted),
        ("clientCert", &certificate),
        ("clientKey", &key),
    ];
    assert!(open(&entries).await.is_ok());
    let without = refusal(&entries[..3]).await;
    assert!(
        without.contains("TLS: ") && without.contains("`clientCert`"),
        "{without}"
    );
}

#[tokio::test]
async fn a_blocking_read_has_a_connection_of_its_own() {
    let server = Server::start(RedisOptions::new()).await;
    let redis = open(&[("redisHost", &server.address())]).await.unwrap();
    let mut own = redis.dedicated(b"list").await.unwrap();
    let blocked = tokio::spawn(async move {
        own.call(cmd("BLPOP").arg("list").arg(0), Duration::from_secs(60))
            .await
    });
    berth_blocks::conformance::eventually("it blocks", async || {
        let clients = redis.call(cmd("INFO").arg("clients")).await.unwrap();
        let clients: String = redis::from_redis_value(clients).unwrap();
        clients.contains("blocked_clients:1")
    })
    .await;
    redis.call(cmd("RPUSH").arg("list").arg("v")).await.unwrap();
    let popped: (String, String) =
        redis::from_redis_value(blocked.await.unwrap().unwrap()).unwrap();
    assert_eq!(popped, ("list".to_owned(), "v".to_owned()));
}

#[tokio::test]
async fn a_connection_of_its_own_reaches_the_owner_of_the_key() {
    let cluster = RedisCluster::start(RedisOptions::new()).await;
    let entries = [
        ("redisHost", &*cluster.addresses()),
        ("redisType", "cluster"),
    ];
    let redis = open(&entries).await.unwrap();
    let mut servers = std::collections::BTreeSet::new();
    for key in ["a", "b", "c", "d", "e", "f"] {
        let mut own = redis.dedicated(key.as_bytes()).await.unwrap();
        let mut set = cmd("SET");
        set.arg(key).arg("v");
        assert!(
            own.call(&set, Duration::from_secs(5)).await.is_ok(),
            "{key}"
        );
        servers.insert(own.location().to_owned());
    }
    assert!(servers.len() > 1, "{servers:?}");
    assert_eq!(redis.masters().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_connection_of_its_own_goes_to_the_master() {
    let set = RedisSentinel::start().await;
    let redis = open(&[
        ("redisHost", &*set.addresses()),
        ("failover", "true"),
        ("sentinelMasterName", set.name()),
    ])
    .await
    .unwrap();
    let mut own = redis.dedicated(b"k").await.unwrap();
    let mut write = cmd("SET");
    write.arg("k").arg("v");
    assert!(own.call(&write, Duration::from_secs(5)).await.is_ok());
    assert!(own.location().contains(&set.master.address()));
    assert_eq!(redis.replicas(), 1);
    let unknown = refusal(&[
        (
            "redisHost",
            &*set.addresses().split(',').next().unwrap().to_owned(),
        ),
        ("failover", "true"),
        ("sentinelMasterName", "other"),
    ])
    .await;
    assert!(unknown.contains("check `sentinelMasterName`"), "{unknown}");
}
