//! Metadata and what goes wrong at open.

use super::*;
use crate::scratch::{metadata, try_metadata};
use berth_servers::{Authority, RabbitMq, free_port};

async fn refusal(entries: &[(&str, &str)]) -> String {
    let metadata = metadata(entries);
    let refused = open(&metadata).await.err();
    refused.expect("must not open").to_string()
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named() {
    let port = free_port();
    let url = format!("amqp://user:hidden-password@127.0.0.1:{port}");
    assert_eq!(
        refusal(&[("connectionString", &url)]).await,
        format!(
            "connecting to RabbitMQ at 127.0.0.1:{port}: Connection refused (os error 111); \
             check that it runs and the port"
        )
    );
    let unknown = refusal(&[("hostname", "no-such-host.invalid")]).await;
    assert!(
        unknown.starts_with("looking up \"no-such-host.invalid\" of RabbitMQ: ")
            && unknown.ends_with("; check the host name"),
        "{unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_is_quoted() {
    let shared = RabbitMq::shared().await;
    let address = shared.address.split('@').nth(1).unwrap();
    let address = address.split('/').next().unwrap();
    let wrong = [
        ("hostname", address),
        ("username", "guest"),
        ("password", "hidden-password"),
    ];
    assert_eq!(
        refusal(&wrong).await,
        format!(
            "RabbitMQ at {address} does not let user \"guest\" in: check `username` and `password` \
             (`guest` may come from the broker's own machine only)"
        )
    );
    let url = format!("amqp://guest:guest@{address}/elsewhere");
    assert_eq!(
        refusal(&[("connectionString", &url)]).await,
        format!(
            "RabbitMQ at {address} has no virtual host \"elsewhere\" for user \"guest\": create it with \
             `rabbitmqctl add_vhost` and `rabbitmqctl set_permissions`"
        )
    );
    let url = format!("amqps://guest:guest@{address}");
    let plain = refusal(&[("connectionString", &url)]).await;
    assert!(
        plain.starts_with(&format!("TLS with RabbitMQ at {address}: ")),
        "{plain}"
    );
    eventually("no attempt leaves a thread", async || client_threads() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_something_else_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = tokio::spawn(async move {
        let connection = listener.accept().await;
        std::future::pending::<()>().await;
        drop(connection);
    });
    assert_eq!(
        refusal(&[("hostname", &address)]).await,
        format!("RabbitMQ at {address} does not answer within 5s")
    );
    eventually("the attempt leaves no thread", async || {
        client_threads() == 0
    })
    .await;
    silent.abort();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let rude = tokio::spawn(async move { drop(listener.accept().await) });
    let broken = refusal(&[("hostname", &address)]).await;
    assert!(
        broken.starts_with(&format!("RabbitMQ at {address} breaks off the handshake: ")),
        "{broken}"
    );
    rude.await.unwrap();
}

#[test]
fn wrong_metadata_is_told() {
    let wrong = |entries: &[(&str, &str)]| {
        let metadata = try_metadata::<RabbitMetadata>(entries);
        let checked = metadata.and_then(|metadata| {
            metadata.settings()?;
            metadata.target().map(drop)
        });
        checked.unwrap_err().to_string()
    };
    let url = ("connectionString", "amqp://u:hidden-password@h");
    assert_eq!(
        wrong(&[("connectionString", "hidden-password")]),
        "metadata `connectionString`: expected `amqp://user:password@host:port/vhost` or `amqps://...`"
    );
    assert_eq!(
        wrong(&[]),
        "metadata `connectionString`: missing: set it, or `hostname` with `username` and `password`"
    );
    assert_eq!(
        wrong(&[url, ("hostname", "h")]),
        "metadata `hostname`: either this or `connectionString`"
    );
    assert_eq!(
        wrong(&[url, ("protocol", "amqps")]),
        "metadata `protocol`: differs from that of `connectionString`"
    );
    assert_eq!(
        wrong(&[url, ("autoAck", "true")]),
        "metadata `autoAck`: must be false: berth acknowledges a message once it was handled"
    );
    assert_eq!(
        wrong(&[url, ("deliveryMode", "3")]),
        "metadata `deliveryMode`: must be 0, 1 or 2"
    );
    assert_eq!(
        wrong(&[url, ("clientCert", "-----BEGIN CERTIFICATE-----")]),
        "metadata `clientKey`: missing, but `clientCert` needs it"
    );
    assert_eq!(
        wrong(&[url, ("caCert", "ca.pem")]),
        "metadata `caCert`: must be certificates in PEM form, `-----BEGIN ...`"
    );
}

#[test]
fn connection_strings_are_read_as_other_clients_read_them() {
    let target = |entries: &[(&str, &str)]| {
        let target = metadata::<RabbitMetadata>(entries).target().unwrap();
        let authority = target.uri.authority;
        format!(
            "{}:{}@{}:{} {}",
            authority.userinfo.username,
            authority.userinfo.password,
            authority.host,
            authority.port,
            target.uri.vhost
        )
    };
    let read = |url: &str| target(&[("connectionString", url)]);
    assert_eq!(read("amqp://localhost"), "guest:guest@localhost:5672 /");
    assert_eq!(read("amqps://u:p%40s@h/v%2fw"), "u:p@s@h:5671 v/w");
    assert_eq!(
        read("amqp://127.0.0.1:5673/"),
        "guest:guest@127.0.0.1:5673 /"
    );
    assert_eq!(read("amqp://u:p@[::1]:5673/v"), "u:p@::1:5673 v");
    assert_eq!(
        target(&[("hostname", "h:1"), ("username", "u"), ("password", "p@:/")]),
        "u:p@:/@h:1 /"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_checks_both_sides() {
    let authority = Authority::new();
    let server = RabbitMq::start_tls(&authority).await;
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let client = authority.issue("shop");
    let (root, certificate, key) = (
        read(&authority.certificate()),
        read(&client.certificate),
        read(&client.key),
    );
    let url = format!("amqps://guest:guest@localhost:{}", server.port());
    let all = [
        ("connectionString", &*url),
        ("caCert", &root),
        ("clientCert", &certificate),
        ("clientKey", &key),
    ];
    let pubsub = open_with(&all).await;
    let mut consumer = join(&pubsub, "orders", "app", 1).await;
    pubsub.publish(message("orders", "1")).await.unwrap();
    assert_eq!(text(&one(&mut *consumer).await), "1");

    let other = read(&Authority::new().certificate());
    let stranger = [all[0], ("caCert", &other), all[2], all[3]];
    let unknown = refusal(&stranger).await;
    assert!(unknown.contains("certificate"), "{unknown}");
    let anonymous = refusal(&all[..2]).await;
    // The alert may be overtaken by the end of the connection.
    assert!(
        anonymous.contains("set `clientCert`") || anonymous.contains("breaks off the handshake"),
        "{anonymous}"
    );
}
