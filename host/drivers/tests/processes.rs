//! What holds when a host is killed in the middle of its work, and when two hosts work on one file.
//!
//! The other process is this test binary, started again with the name of one of the ignored "roles" below.
#![allow(clippy::unwrap_used, missing_docs)]

use berth_blocks::{
    pubsub::{Consumer, InboundMessage, OutboundMessage, PubSub, SubscribeRequest},
    registry::{Connections, Metadata, OpenContext, Opened},
    state::{GetOptions, Precondition, SetRequest, StateError, StateStore},
};
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

/// Names the data directory to a role.
const DIRECTORY: &str = "BERTH_TEST_DIRECTORY";

const INCREMENTS: u32 = 50;

fn start(role: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            role,
            "--ignored",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The directory, if this process plays a role.
fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

async fn open(directory: &Path, kind: &str) -> Opened {
    let context = OpenContext {
        name: "backend".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: directory.to_owned(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let mut metadata = Metadata::new();
    if kind == "pubsub.sqlite" {
        // Far longer than any test: what comes again sooner was taken over.
        metadata.insert("leaseDuration".to_owned(), "10m".into());
    }
    let registry = berth_drivers::registry();
    let driver = registry.driver(kind).unwrap();
    (driver.open)(context, metadata).await.unwrap()
}

async fn open_state(directory: &Path) -> Arc<dyn StateStore> {
    open(directory, "state.sqlite").await.state.unwrap()
}

async fn open_pubsub(directory: &Path) -> Arc<dyn PubSub> {
    open(directory, "pubsub.sqlite").await.pubsub.unwrap()
}

fn set(key: &str, value: String, precondition: Precondition) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: Bytes::from(value),
        precondition,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

fn message(text: &str) -> OutboundMessage {
    OutboundMessage {
        topic: "orders".to_owned(),
        data: Bytes::copy_from_slice(text.as_bytes()),
        content_type: "text/plain".to_owned(),
        ttl: None,
        partition_key: None,
        metadata: Vec::new(),
        retain: None,
    }
}

async fn join(pubsub: &Arc<dyn PubSub>, prefetch: usize) -> Box<dyn Consumer> {
    let request = SubscribeRequest {
        topic: "orders".to_owned(),
        group: "mail".to_owned(),
        prefetch,
        metadata: Vec::new(),
    };
    pubsub.subscribe(request).await.unwrap()
}

/// One line on standard output, past the capture of the test harness, at once.
fn say(what: &str, subject: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{what} {subject}").unwrap();
    output.flush().unwrap();
}

fn text(message: &InboundMessage) -> String {
    String::from_utf8(message.data.to_vec()).unwrap()
}

#[test]
#[ignore = "a role: started by the tests that kill it"]
fn role_of_a_busy_host() {
    let Some(directory) = directory() else { return };
    run(busy_host(directory));
}

fn run(work: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work);
}

/// Writes, publishes and consumes, and says what was answered, until it is killed.
async fn busy_host(directory: PathBuf) {
    let (state, pubsub) = (open_state(&directory).await, open_pubsub(&directory).await);
    let mut consumer = join(&pubsub, 32).await;
    for writer in 0..8 {
        let (state, pubsub) = (state.clone(), pubsub.clone());
        tokio::spawn(async move {
            for number in 0.. {
                // No name is used twice, not even by the next run.
                let name = format!("{}-{writer}-{number}", std::process::id());
                state
                    .set(set(&name, name.clone(), Precondition::None))
                    .await
                    .unwrap();
                say("stored", &name);
                pubsub.publish(message(&name)).await.unwrap();
                say("published", &name);
            }
        });
    }
    let mut held = Vec::new();
    loop {
        for message in consumer.receive(8).await.unwrap() {
            // Some stay leased, as with a handler that is still at work.
            if held.len() < 16 {
                held.push(message);
                continue;
            }
            let name = text(&message);
            say("acknowledging", &name);
            message.lease.acknowledge().await.unwrap();
            say("acknowledged", &name);
        }
    }
}

/// What killed hosts had said.
#[derive(Default)]
struct Said {
    stored: BTreeSet<String>,
    published: BTreeSet<String>,
    acknowledging: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

impl Said {
    fn note(&mut self, line: &str) {
        // The last two words: the test harness begins the first line with the name of the test.
        let mut words = line.rsplit(' ');
        let (Some(subject), Some(what)) = (words.next(), words.next()) else {
            return;
        };
        let set = match what {
            "stored" => &mut self.stored,
            "published" => &mut self.published,
            "acknowledging" => &mut self.acknowledging,
            "acknowledged" => &mut self.acknowledged,
            _ => return,
        };
        set.insert(subject.to_owned());
    }
}

/// Kills the host after so many lines. The last line may be cut: only whole ones count.
fn run_and_kill(directory: &Path, lines: usize, said: &mut Said) {
    let mut host = start("role_of_a_busy_host", directory);
    let mut output = BufReader::new(host.stdout.take().unwrap());
    let mut line = String::new();
    for number in 0.. {
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            break;
        }
        if let Some(whole) = line.strip_suffix('\n') {
            said.note(whole);
        }
        if number == lines {
            host.kill().unwrap();
        }
    }
    assert!(!host.wait().unwrap().success());
}

#[tokio::test]
async fn a_killed_host_loses_nothing_and_its_messages_come_again_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    for lines in [300, 1_000, 57] {
        run_and_kill(directory.path(), lines, &mut said);
    }
    assert!(!said.published.is_empty() && !said.acknowledged.is_empty());

    let state = open_state(directory.path()).await;
    for key in &said.stored {
        let entry = state.get(key, &GetOptions::default()).await.unwrap();
        assert_eq!(
            entry.map(|entry| entry.value),
            Some(Bytes::from(key.clone()))
        );
    }

    let pubsub = open_pubsub(directory.path()).await;
    let mut consumer = join(&pubsub, 100).await;
    let mut came = BTreeSet::new();
    let mut again = 0;
    while let Ok(messages) =
        tokio::time::timeout(Duration::from_secs(1), consumer.receive(100)).await
    {
        for message in messages.unwrap() {
            let name = text(&message);
            assert!(
                !said.acknowledged.contains(&name),
                "{name} was acknowledged"
            );
            again += usize::from(message.attempt > 1);
            came.insert(name);
            message.lease.acknowledge().await.unwrap();
        }
    }
    let unsettled: BTreeSet<_> = said
        .published
        .difference(&said.acknowledging)
        .cloned()
        .collect();
    assert!(
        came.is_superset(&unsettled),
        "lost: {:?}",
        unsettled.difference(&came)
    );
    assert!(again >= 16, "{again} messages of killed hosts came again");
}

/// Adds one to a counter, as often as it takes.
async fn increment(state: &dyn StateStore) {
    loop {
        let entry = state.get("counter", &GetOptions::default()).await.unwrap();
        let (count, precondition) = match entry {
            Some(entry) => {
                let count: u32 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
                (count, Precondition::Etag(entry.etag))
            }
            None => (0, Precondition::Absent),
        };
        match state
            .set(set("counter", (count + 1).to_string(), precondition))
            .await
        {
            Ok(()) => return,
            Err(StateError::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
#[ignore = "a role: started by the test of two hosts"]
fn role_of_a_counting_host() {
    let Some(directory) = directory() else { return };
    run(async {
        let state = open_state(&directory).await;
        for _ in 0..INCREMENTS {
            increment(&*state).await;
        }
    });
}

#[tokio::test]
async fn two_hosts_that_count_on_one_file_lose_no_increment() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = [(); 2].map(|()| start("role_of_a_counting_host", directory.path()));
    let state = open_state(directory.path()).await;
    for _ in 0..INCREMENTS {
        increment(&*state).await;
    }
    for host in hosts {
        let output = host.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    let counter = state
        .get("counter", &GetOptions::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(counter.value, (3 * INCREMENTS).to_string());
}
