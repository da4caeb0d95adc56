//! Servers that are killed, frozen, cut off and replaced.

use super::*;
use berth_servers::{Proxy, RedisSentinel};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinSet;

/// Hosts at work, and what their broker has told them.
#[derive(Clone, Default)]
struct Work {
    published: Arc<Mutex<BTreeSet<String>>>,
    handled: Arc<Mutex<BTreeSet<String>>>,
    /// As far as the broker has confirmed it.
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    is_over: Arc<AtomicBool>,
}

impl Work {
    /// Publishes one message after the other until the work is over.
    async fn publish(self, pubsub: Arc<RedisPubSub>, publisher: usize) {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            // A name whose fate is unknown is not used again.
            let name = format!("{publisher}-{number}");
            number += 1;
            match pubsub.publish(message(&name)).await {
                Ok(()) => drop(self.published.lock().insert(name)),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Handles messages as the delivery side does: whatever fails, it joins again.
    async fn handle(self, pubsub: Arc<RedisPubSub>) {
        loop {
            if let Ok(mut consumer) = pubsub.subscribe(request(20)).await {
                while let Ok(messages) = consumer.receive(20).await {
                    for message in messages {
                        let name = text(&message);
                        self.handled.lock().insert(name.clone());
                        if message.lease.acknowledge().await.is_ok() {
                            self.acknowledged.lock().insert(name);
                        }
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn handled(&self) -> usize {
        self.handled.lock().len()
    }

    /// Another so many messages have been handled.
    async fn goes_on(&self) {
        let before = self.handled();
        eventually("messages are handled", async || {
            self.handled() >= before + 200
        })
        .await;
    }

    async fn is_done(&self) {
        eventually("everything is handled", async || {
            self.handled.lock().is_superset(&self.published.lock())
        })
        .await;
    }
}

/// Two hosts, each of which publishes and handles.
fn start(work: &Work, hosts: [RedisPubSub; 2]) -> (JoinSet<()>, JoinSet<()>) {
    let (mut publishers, mut handlers) = (JoinSet::new(), JoinSet::new());
    for pubsub in hosts.map(Arc::new) {
        for publisher in 0..2 {
            let publisher = publishers.len() * 2 + publisher;
            publishers.spawn(work.clone().publish(pubsub.clone(), publisher));
        }
        handlers.spawn(work.clone().handle(pubsub));
    }
    (publishers, handlers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_under_load_lose_nothing() {
    let server = TestServer::start(RedisOptions::new()).await;
    let proxy = Proxy::before(server.port()).await;
    let entries = [
        ("redisHost", format!("127.0.0.1:{}", proxy.port())),
        ("processingTimeout", "1s".to_owned()),
    ];
    let work = Work::default();
    let hosts = [open_at(&entries).await, open_at(&entries).await];
    let (mut publishers, handlers) = start(&work, hosts);
    for round in 0..6 {
        work.goes_on().await;
        if round % 2 == 0 {
            proxy.break_connections();
        } else {
            proxy.cut();
            tokio::time::sleep(Duration::from_millis(200)).await;
            proxy.mend();
        }
    }
    work.goes_on().await;
    work.is_over.store(true, Ordering::Relaxed);
    while publishers.join_next().await.is_some() {}
    work.is_done().await;
    let outside = Outside::of(&server).await;
    eventually("nothing is pending", async || {
        let consumers = outside.consumers().await;
        consumers.iter().all(|(_, pending)| *pending == 0)
    })
    .await;
    drop(handlers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing_that_it_has_confirmed() {
    let mut server = TestServer::start(RedisOptions::new().durable()).await;
    let more = [("processingTimeout", "1s")];
    let work = Work::default();
    let hosts = [host(&server, &more).await, host(&server, &more).await];
    let (mut publishers, handlers) = start(&work, hosts);
    for _ in 0..3 {
        work.goes_on().await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.restart().await;
    }
    work.goes_on().await;
    work.is_over.store(true, Ordering::Relaxed);
    while publishers.join_next().await.is_some() {}
    drop(handlers);
    server.kill();
    server.restart().await;
    // What was acknowledged does not come again; all else does.
    let pubsub = host(&server, &more).await;
    let before = work.acknowledged.lock().clone();
    let mut consumer = join(&pubsub).await;
    let finish = async {
        loop {
            for message in consumer.receive(100).await.unwrap() {
                let name = text(&message);
                assert!(!before.contains(&name), "{name} was acknowledged");
                message.lease.acknowledge().await.unwrap();
                work.handled.lock().insert(name);
            }
        }
    };
    tokio::select! {
        () = work.is_done() => {}
        () = finish => {}
    }
}

#[tokio::test]
async fn a_frozen_server_is_given_up_and_found_again() {
    let server = TestServer::start(RedisOptions::new()).await;
    let more = [("readTimeout", "300ms"), ("processingTimeout", "1s")];
    let pubsub = host(&server, &more).await;
    let mut consumer = join(&pubsub).await;
    publish_all(&pubsub, 2).await;
    let held = one(&mut *consumer).await;
    server.freeze();
    let failed = tokio::time::timeout(PATIENCE, consumer.receive(1)).await;
    // The second message may have been under way.
    let failed = match failed.expect("an answer within its time") {
        Ok(_) => tokio::time::timeout(PATIENCE, consumer.receive(1))
            .await
            .unwrap(),
        failed => failed,
    };
    let failed = failed.unwrap_err();
    assert!(
        matches!(
            failed,
            PubSubError::Timeout(_) | PubSubError::Unavailable(_)
        ),
        "{failed:?}"
    );
    assert!(pubsub.publish(message("lost")).await.is_err());
    assert!(held.lease.extend().await.is_err());
    drop(consumer);
    server.thaw();
    eventually("it is found again", async || pubsub.ping().await.is_ok()).await;
    held.lease.acknowledge().await.unwrap();
    let mut consumer = join(&pubsub).await;
    let mut came = BTreeSet::new();
    while !came.contains("m-1") {
        let received = one(&mut *consumer).await;
        came.insert(text(&received));
        received.lease.acknowledge().await.unwrap();
    }
    assert!(!came.contains("m-0"), "it was acknowledged");
}

#[tokio::test]
async fn a_stream_that_was_deleted_is_made_again() {
    let server = TestServer::start(RedisOptions::new()).await;
    let pubsub = host(&server, &[]).await;
    let mut consumer = join(&pubsub).await;
    Outside::of(&server).await.ask(&["DEL", "orders"]).await;
    let failed = tokio::time::timeout(PATIENCE, consumer.receive(1)).await;
    let failed = failed.expect("an answer").unwrap_err();
    assert!(matches!(failed, PubSubError::Unavailable(_)), "{failed:?}");
    publish_all(&pubsub, 1).await;
    assert_eq!(text(&one(&mut *join(&pubsub).await).await), "m-0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_of_sentinel_is_followed() {
    let mut set = RedisSentinel::start().await;
    let entries = [
        ("redisHost", set.addresses()),
        ("failover", "true".to_owned()),
        ("sentinelMasterName", set.name().to_owned()),
        ("processingTimeout", "1s".to_owned()),
    ];
    let pubsub = Arc::new(open_at(&entries).await);
    let work = Work::default();
    let mut handlers = JoinSet::new();
    handlers.spawn(work.clone().handle(pubsub.clone()));
    publish_all(&pubsub, 100).await;
    eventually("all are handled", async || work.handled() == 100).await;
    set.master.kill();
    set.fails_over_to(set.replica.port()).await;
    eventually("the new master takes messages", async || {
        pubsub.publish(message("after")).await.is_ok()
    })
    .await;
    work.published.lock().insert("after".to_owned());
    work.is_done().await;
}
