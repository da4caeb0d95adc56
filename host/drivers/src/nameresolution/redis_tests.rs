//! Against a private server.

use super::*;
use crate::nameresolution::acts::{announcement, app, ports};
use crate::scratch::{context, metadata};
use berth_blocks::conformance::eventually;
use berth_servers::{Redis as Server, RedisOptions};

/// A host of its own: it shares no connection with another.
fn host(server: &Server, interval: &str) -> Registry {
    let address = server.address();
    let settings = metadata(&[
        ("redisHost", &address),
        ("updateInterval", interval),
        ("dialTimeout", "1s"),
    ]);
    open(context("/nowhere".as_ref()), settings, Vec::new()).unwrap()
}

#[tokio::test]
async fn hosts_find_each_other_and_namespaces_stay_apart() {
    let server = Server::start(RedisOptions::new()).await;
    let (one, two) = (host(&server, "1h"), host(&server, "1h"));
    let (ours, theirs) = (app("shop", "inventory"), app("other", "inventory"));
    one.announce(&announcement("one", 1, std::slice::from_ref(&ours)))
        .await
        .unwrap();
    let both = [ours.clone(), theirs.clone()];
    two.announce(&announcement("two", 2, &both)).await.unwrap();
    assert_eq!(ports(&one, &ours).await, [1, 2]);
    assert_eq!(ports(&one, &theirs).await, [2]);
    // Moved, and without one of its apps.
    two.announce(&announcement("two", 3, std::slice::from_ref(&ours)))
        .await
        .unwrap();
    assert_eq!(ports(&one, &ours).await, [1, 3]);
    assert!(ports(&one, &theirs).await.is_empty());
    two.withdraw("two").await.unwrap();
    assert_eq!(ports(&one, &ours).await, [1]);
}

#[tokio::test]
async fn a_host_without_heartbeats_is_forgotten() {
    let server = Server::start(RedisOptions::new()).await;
    let (dead, alive) = (host(&server, "50ms"), host(&server, "50ms"));
    let apps = [app("shop", "inventory")];
    dead.announce(&announcement("dead", 1, &apps))
        .await
        .unwrap();
    eventually("only the one that renews is left", async || {
        alive
            .announce(&announcement("alive", 2, &apps))
            .await
            .unwrap();
        ports(&alive, &apps[0]).await == [2]
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_is_down_is_an_error_until_it_is_back() {
    let mut server = Server::start(RedisOptions::new()).await;
    let resolver = host(&server, "1h");
    let apps = [app("shop", "inventory")];
    server.kill();
    let own = announcement("one", 1, &apps);
    let error = resolver.announce(&own).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    server.restart().await;
    eventually("it is announced", async || {
        resolver.announce(&own).await.is_ok()
    })
    .await;
    assert_eq!(ports(&resolver, &apps[0]).await, [1]);
    server.kill();
    eventually("its failure shows", async || {
        resolver.resolve(&apps[0]).await.is_err()
    })
    .await;
    server.restart().await;
    eventually("it answers again", async || {
        resolver.resolve(&apps[0]).await.is_ok()
    })
    .await;
}
