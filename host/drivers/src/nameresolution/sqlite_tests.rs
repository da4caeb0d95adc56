use super::*;
use crate::nameresolution::acts::{announcement, app, ports};
use crate::scratch::{Scratch, context, metadata};
use std::cell::Cell;

thread_local! {
    static SECONDS: Cell<u64> = const { Cell::new(1_800_000_000) };
}

/// The clock of one test, which runs on one thread.
fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(SECONDS.get())
}

fn pass(time: Duration) {
    SECONDS.set(SECONDS.get() + time.as_secs());
}

/// A host of its own: it shares no connection with another.
fn host(scratch: &Scratch) -> Sqlite {
    let opened = open(context(scratch.path()), metadata(&[]), Vec::new()).unwrap();
    Sqlite {
        now: clock,
        ..opened
    }
}

#[tokio::test]
async fn hosts_find_each_other_through_the_file() {
    let scratch = Scratch::new();
    let (one, two) = (host(&scratch), host(&scratch));
    let inventory = app("shop", "inventory");
    assert!(ports(&one, &inventory).await.is_empty());
    let own = |name, port| announcement(name, port, std::slice::from_ref(&inventory));
    one.announce(&own("one", 1)).await.unwrap();
    two.announce(&own("two", 2)).await.unwrap();
    assert_eq!(ports(&one, &inventory).await, [1, 2]);
    assert_eq!(ports(&two, &inventory).await, [1, 2]);
    one.withdraw("one").await.unwrap();
    assert_eq!(ports(&two, &inventory).await, [2]);
    two.announce(&announcement("two", 2, &[])).await.unwrap();
    assert!(
        ports(&one, &inventory).await.is_empty(),
        "it has the app no more"
    );
}

#[tokio::test]
async fn a_host_without_heartbeats_is_forgotten() {
    let scratch = Scratch::new();
    let (dead, alive) = (host(&scratch), host(&scratch));
    let apps = [app("shop", "inventory")];
    dead.announce(&announcement("dead", 1, &apps))
        .await
        .unwrap();
    for _ in 1..MISSED_MAX {
        pass(HEARTBEAT);
        alive
            .announce(&announcement("alive", 2, &apps))
            .await
            .unwrap();
        assert_eq!(ports(&alive, &apps[0]).await, [1, 2]);
    }
    pass(HEARTBEAT);
    assert_eq!(ports(&alive, &apps[0]).await, [2]);
    dead.announce(&announcement("dead", 3, &apps))
        .await
        .unwrap();
    assert_eq!(
        ports(&alive, &apps[0]).await,
        [2, 3],
        "it is back elsewhere"
    );
}

#[tokio::test]
async fn one_app_id_in_two_namespaces_is_two_apps() {
    let scratch = Scratch::new();
    let (one, two) = (host(&scratch), host(&scratch));
    let (ours, theirs) = (app("shop", "inventory"), app("other", "inventory"));
    one.announce(&announcement("one", 1, std::slice::from_ref(&ours)))
        .await
        .unwrap();
    two.announce(&announcement("two", 2, std::slice::from_ref(&theirs)))
        .await
        .unwrap();
    assert_eq!(ports(&one, &ours).await, [1]);
    assert_eq!(ports(&one, &theirs).await, [2]);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_an_error_that_may_pass() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("later");
    let settings = metadata(&[(
        "connectionString",
        folder.join("hosts.db").to_str().unwrap(),
    )]);
    let resolver = open(context(scratch.path()), settings, Vec::new()).unwrap();
    let inventory = app("shop", "inventory");
    let error = resolver.resolve(&inventory).await.unwrap_err();
    assert!(error.to_string().contains("hosts.db"), "{error}");
    std::fs::create_dir(folder).unwrap();
    assert!(resolver.resolve(&inventory).await.unwrap().is_empty());
}
