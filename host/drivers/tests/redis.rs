//! What holds when hosts that share a Redis are killed in the middle of their work.
//!
//! A host is this test binary, started again as the ignored "role" below.
#![allow(clippy::unwrap_used, missing_docs)]

use berth_blocks::{
    conformance::PATIENCE,
    pubsub::{Consumer, OutboundMessage, PubSub, SubscribeRequest},
    registry::{Connections, Metadata, OpenContext},
};
use berth_servers::{Redis, RedisOptions};
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

/// Names the server to a role.
const ADDRESS: &str = "BERTH_TEST_REDIS";

const MESSAGES: usize = 20_000;

async fn open(address: &str) -> Arc<dyn PubSub> {
    let context = OpenContext {
        name: "backend".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: "/nowhere".into(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let mut metadata = Metadata::new();
    metadata.insert("redisHost".to_owned(), address.into());
    metadata.insert("processingTimeout".to_owned(), "1s".into());
    let registry = berth_drivers::registry();
    let driver = registry.driver("pubsub.redis").unwrap();
    let opened = (driver.open)(context, metadata).await.unwrap();
    opened.pubsub.unwrap()
}

async fn join(pubsub: &Arc<dyn PubSub>) -> Box<dyn Consumer> {
    let request = SubscribeRequest {
        topic: "orders".to_owned(),
        group: "mail".to_owned(),
        prefetch: 64,
        metadata: Vec::new(),
    };
    pubsub.subscribe(request).await.unwrap()
}

fn message(name: String) -> OutboundMessage {
    OutboundMessage {
        topic: "orders".to_owned(),
        data: Bytes::from(name),
        content_type: "text/plain".to_owned(),
        ttl: None,
        partition_key: None,
        metadata: Vec::new(),
        retain: None,
    }
}

/// One line on standard output, past the capture of the test harness, at once.
fn say(what: &str, subject: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{what} {subject}").unwrap();
    output.flush().unwrap();
}

#[test]
#[ignore = "a role: started by the test that kills it"]
fn role_of_a_host() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let pubsub = open(&address).await;
        let mut consumer = join(&pubsub).await;
        loop {
            for message in consumer.receive(64).await.unwrap() {
                tokio::spawn(async move {
                    let name = String::from_utf8(message.data.to_vec()).unwrap();
                    say("handled", &name);
                    message.lease.acknowledge().await.unwrap();
                });
            }
        }
    });
}

fn start(address: &str) -> Child {
    let role = ["--exact", "role_of_a_host", "--ignored", "--nocapture"];
    Command::new(std::env::current_exe().unwrap())
        .args(role)
        .env(ADDRESS, address)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the host after so many messages. The last line may be cut: only whole ones count.
fn run_and_kill(mut host: Child, after: usize) -> BTreeSet<String> {
    let mut output = BufReader::new(host.stdout.take().unwrap());
    let (mut handled, mut line) = (BTreeSet::new(), String::new());
    loop {
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        // The last word: the test harness begins the first line with the name of the test.
        let name = line
            .strip_suffix('\n')
            .and_then(|line| line.split_once("handled "));
        if let Some((_, name)) = name {
            handled.insert(name.to_owned());
        }
        if handled.len() == after {
            host.kill().unwrap();
        }
    }
    assert!(!host.wait().unwrap().success());
    handled
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_killed_hosts_held_is_taken_over_and_nothing_is_lost() {
    let server = Redis::start(RedisOptions::new()).await;
    let pubsub = open(&server.address()).await;
    let names: Vec<_> = (0..MESSAGES).map(|number| format!("m-{number}")).collect();
    let messages = names.iter().cloned().map(message).collect();
    let answers = pubsub.bulk_publish(messages).await;
    assert!(answers.iter().all(Result::is_ok));
    // Two at a time, each killed at another moment; the last one, this process, takes over.
    let hosts = [300, 1_000, 57, 2_500].map(|after| {
        let address = server.address();
        tokio::task::spawn_blocking(move || run_and_kill(start(&address), after))
    });
    let mut handled = BTreeSet::new();
    for host in hosts {
        handled.extend(host.await.unwrap());
    }
    let mut consumer = join(&pubsub).await;
    while handled.len() < names.len() {
        let received = tokio::time::timeout(PATIENCE, consumer.receive(64)).await;
        let received = received.unwrap_or_else(|_| {
            let lost: Vec<_> = names
                .iter()
                .filter(|name| !handled.contains(*name))
                .collect();
            panic!("lost: {lost:?}")
        });
        for message in received.unwrap() {
            handled.insert(String::from_utf8(message.data.to_vec()).unwrap());
            message.lease.acknowledge().await.unwrap();
        }
    }
    // What was handled, but not acknowledged, comes again; then nothing does.
    let silence = Duration::from_secs(3);
    while let Ok(received) = tokio::time::timeout(silence, consumer.receive(64)).await {
        for message in received.unwrap() {
            message.lease.acknowledge().await.unwrap();
        }
    }
    let depths = pubsub.depths().await.unwrap();
    assert_eq!((depths[0].waiting, depths[0].in_flight), (0, 0));
}
