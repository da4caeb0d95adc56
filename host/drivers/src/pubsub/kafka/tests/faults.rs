//! What goes wrong: at the start, in between, in the document.

use super::*;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// One thread per client of librdkafka, one per producer, and those of this driver.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let own = ["rdk:main", "kafka-", "producer"];
    let mut names: Vec<_> = names
        .map(|name| name.trim().to_owned())
        .filter(|name| own.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    names.sort();
    names
}

async fn refused(brokers: &str, more: &[(&str, &str)]) -> String {
    let began = Instant::now();
    let error = try_open_at(brokers, more)
        .await
        .err()
        .expect("an error")
        .to_string();
    // Dapr's `initTimeout`, which would hide the cause.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}: {error}",
        began.elapsed()
    );
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_the_host_from_the_brokers_is_told() {
    let nobody = format!("127.0.0.1:{}", berth_servers::free_port());
    let error = refused(&nobody, &[]).await;
    assert!(
        error.starts_with(&format!(
            "connecting to Kafka at {nobody}: connection refused:"
        )),
        "{error}"
    );
    let error = refused("no-such-host.invalid:9092", &[]).await;
    assert!(
        error.contains("no-such-host.invalid:9092: a name cannot be resolved"),
        "{error}"
    );
    let kafka = MockKafka::start(1);
    let password = [("saslUsername", "u"), ("saslPassword", "hunter2")];
    let tls = [("authType", "password"), password[0], password[1]];
    let error = refused(&kafka.brokers(), &tls).await;
    assert!(error.contains("TLS failed: check `caCert`"), "{error}");
    let broker = strict_broker();
    let plain = [
        ("authType", "password"),
        ("disableTls", "true"),
        password[0],
        password[1],
    ];
    let error = refused(&broker, &plain).await;
    assert!(
        error.contains("the broker refuses the credentials: check `saslUsername`"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = refused(&silent.local_addr().unwrap().to_string(), &[]).await;
    assert!(error.contains("no answer within 4s"), "{error}");
}

/// A broker that speaks enough to refuse every password.
fn strict_broker() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || refuse(stream));
        }
    });
    address
}

/// Answers ApiVersions, SaslHandshake and SaslAuthenticate of one connection.
fn refuse(mut stream: TcpStream) -> Option<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).ok()?;
        let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let (api, version) = (number(0), number(2));
        let mut answer = request[4..8].to_vec();
        match (api, version) {
            // Only version 0 is spoken: error 35, and what there is.
            (18, _) => {
                let error: i16 = if version == 0 { 0 } else { 35 };
                answer.extend(error.to_be_bytes());
                let spoken: [[i16; 3]; 5] =
                    [[3, 0, 1], [17, 0, 1], [18, 0, 0], [36, 0, 0], [0, 0, 2]];
                answer.extend(5_i32.to_be_bytes());
                spoken
                    .iter()
                    .flatten()
                    .for_each(|number| answer.extend(number.to_be_bytes()));
            }
            (17, _) => {
                answer.extend(0_i16.to_be_bytes());
                answer.extend(1_i32.to_be_bytes());
                answer.extend(5_i16.to_be_bytes());
                answer.extend(b"PLAIN");
            }
            _ => {
                let reason = b"Authentication failed";
                answer.extend(58_i16.to_be_bytes());
                answer.extend((reason.len() as i16).to_be_bytes());
                answer.extend(reason);
                answer.extend(0_i32.to_be_bytes());
            }
        }
        stream
            .write_all(&(answer.len() as u32).to_be_bytes())
            .ok()?;
        stream.write_all(&answer).ok()?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_goes_down_and_comes_back_loses_nothing() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 2);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    let mut consumer = join(&pubsub, "orders", "app").await;
    publish(&pubsub, message("orders", "before")).await;
    acknowledge(one(&mut *consumer).await).await;
    for round in ["1", "2", "3"] {
        kafka.down();
        let began = Instant::now();
        let error = pubsub
            .publish(message("orders", "during"))
            .await
            .unwrap_err();
        assert!(matches!(error, PubSubError::Unavailable(_)), "{error:?}");
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
        assert!(pubsub.ping().await.is_err());
        kafka.up();
        eventually("the broker is back", async || {
            pubsub.publish(message("orders", round)).await.is_ok()
        })
        .await;
        loop {
            let received = one(&mut *consumer).await;
            let seen = text(&received);
            acknowledge(received).await;
            if seen == round {
                break;
            }
        }
        assert_eq!(pubsub.ping().await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_the_broker_does_not_create_is_named() {
    let kafka = MockKafka::start(1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    kafka.cluster().topic_error("orders", unknown).unwrap();
    let told = "the topic does not exist, and the broker does not create topics by itself: create it, or set the \
                broker's `auto.create.topics.enable`";
    let request = SubscribeRequest {
        topic: "orders".to_owned(),
        group: "app".to_owned(),
        prefetch: 1,
        metadata: Vec::new(),
    };
    let error = pubsub.subscribe(request).await.err().expect("an error");
    assert_eq!(
        error,
        PubSubError::Unavailable(format!("looking for the topic: {told}"))
    );
    let error = pubsub.publish(message("orders", "x")).await.unwrap_err();
    assert_eq!(
        error,
        PubSubError::Unavailable(format!("publishing: {told}"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_asks_to_send_again_gets_it_once() {
    let kafka = MockKafka::start(1);
    kafka.create_topic("orders", 1);
    let pubsub = open_at(&kafka.brokers(), &[]).await;
    let lost = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    kafka
        .cluster()
        .request_errors(RDKafkaApiKey::Produce, &[lost; 3]);
    for data in ["0", "1", "2"] {
        publish(&pubsub, message("orders", data)).await;
    }
    let stored = pubsub.browse("orders", None, 10).await.unwrap();
    let stored: Vec<_> = stored.iter().map(|message| message.data.clone()).collect();
    assert_eq!(stored, ["0", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_ends_with_the_backend() {
    let kafka = MockKafka::start(1);
    let scratch = Scratch::new();
    let context = scratch.context();
    let brokers = kafka.brokers();
    let entries = || {
        metadata(&[
            ("brokers", &brokers),
            ("sessionTimeout", "2s"),
            ("heartbeatInterval", "200ms"),
        ])
    };
    let (one_backend, other) = (
        open(context.clone(), entries()).await.unwrap(),
        open(context.clone(), entries()).await.unwrap(),
    );
    assert!(
        Arc::ptr_eq(&one_backend.connection, &other.connection),
        "one producer for both"
    );
    publish(&one_backend, message("orders", "0")).await;
    publish(&one_backend, message("orders", "1")).await;
    let mut consumer = join(&other, "orders", "app").await;
    let held = one(&mut *consumer).await;
    let member = "kafka-member".to_owned();
    assert!(threads().contains(&member), "{:?}", threads());
    drop(consumer);
    drop((one_backend, other));
    drop(held);
    // What is left holds the mock.
    let left = ["producer pollin", "rdk:main"];
    eventually("all threads have ended", async || threads() == left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_makes_no_sense_is_refused() {
    let pem = "-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----";
    let cases: [(&[(&str, &str)], &str); 14] = [
        (
            &[("authType", "kerberos")],
            "metadata `authType`: `kerberos` is not one of: ",
        ),
        (
            &[("authType", "oidc")],
            "metadata `authType`: berth does not serve `oidc`",
        ),
        (
            &[("authType", "awsiam")],
            "metadata `authType`: berth does not serve `awsiam`",
        ),
        (
            &[("oidcTokenEndpoint", "x")],
            "metadata `oidcTokenEndpoint`: berth does not serve authentication by OpenID",
        ),
        (
            &[("awsRegion", "x")],
            "metadata `awsRegion`: berth does not serve authentication by AWS IAM",
        ),
        (
            &[("schemaRegistryURL", "x")],
            "metadata `schemaRegistryURL`: berth does not serve schema registries",
        ),
        (
            &[("authType", "password")],
            "metadata `saslPassword`: missing",
        ),
        (
            &[("authType", "password"), ("saslPassword", "x")],
            "metadata `saslUsername`: missing",
        ),
        (
            &[("authType", "mtls"), ("clientCert", pem)],
            "metadata `clientKey`: missing",
        ),
        (
            &[("authType", "mtls"), ("disableTls", "true")],
            "metadata `disableTls`: cannot be `true`",
        ),
        (&[("authType", "certificate")], "metadata `caCert`: missing"),
        (
            &[("authType", "certificate"), ("caCert", "x")],
            "metadata `caCert`: is not in PEM",
        ),
        (
            &[("initialOffset", "middle")],
            "metadata `initialOffset`: `middle` is not one of: oldest, newest",
        ),
        (
            &[("sessionTimeout", "1s"), ("heartbeatInterval", "2s")],
            "metadata `heartbeatInterval`: must be shorter",
        ),
    ];
    for (entries, expected) in cases {
        let mut all = vec![("brokers", "127.0.0.1:1")];
        all.extend(entries);
        let checked = try_metadata::<KafkaMetadata>(&all);
        let error = checked.and_then(|metadata| Settings::new(&metadata).map(drop));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = try_metadata::<KafkaMetadata>(&[]).unwrap_err().to_string();
    assert_eq!(error, "metadata `brokers`: missing, but required");
    let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    let certificate = [
        ("authType", "mtls"),
        ("clientCert", pem),
        ("clientKey", key),
    ];
    let error = refused("127.0.0.1:1", &certificate).await;
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn one_connection_is_named_without_its_password() {
    let settings = |password: &str| {
        let entries = [
            ("brokers", "a:1,b:2"),
            ("authType", "password"),
            ("saslUsername", "u"),
            ("saslPassword", password),
        ];
        Settings::new(&metadata(&entries)).unwrap().identity()
    };
    assert_eq!(settings("hunter2"), settings("hunter2"));
    assert_ne!(settings("hunter2"), settings("hunter3"));
    assert!(settings("hunter2").starts_with("kafka a:1,b:2 "));
    assert!(!settings("hunter2").contains("hunter2"));
}
