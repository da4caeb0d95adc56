//! Against a server that speaks DNS over UDP.

use super::*;
use crate::scratch::{context, metadata};
use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, Record, RecordType,
        rdata::{A, SRV},
    },
};
use std::{net::Ipv4Addr, sync::Arc};
use tokio::net::UdpSocket;

/// A zone with a headless service and its SRV records. What is under `broken` fails.
fn answer(name: &str, kind: RecordType) -> Result<Vec<RData>, ResponseCode> {
    let address = |last: u8| RData::A(A(Ipv4Addr::new(10, 0, 0, last)));
    let service = |port: u16, target: &str| {
        RData::SRV(SRV::new(0, 1, port, Name::from_ascii(target).unwrap()))
    };
    Ok(match (name, kind) {
        ("inventory.shop.test.", RecordType::A) => vec![address(1), address(2)],
        ("inventory.other.test.", RecordType::A) => vec![address(3)],
        ("_berth._tcp.inventory.shop.test.", RecordType::SRV) => {
            vec![service(1001, "one.test."), service(1002, "two.test.")]
        }
        ("one.test.", RecordType::A) => vec![address(11)],
        ("two.test.", RecordType::A) => vec![address(12)],
        (name, _) if name.starts_with("broken") => return Err(ResponseCode::ServFail),
        (name, _)
            if name.starts_with("inventory")
                || name.ends_with("e.test.")
                || name.ends_with("o.test.") =>
        {
            Vec::new()
        }
        _ => return Err(ResponseCode::NXDomain),
    })
}

async fn server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            let mut reply = question.into_response();
            let name = query.name().to_ascii().to_lowercase();
            match answer(&name, query.query_type()) {
                Ok(records) => {
                    for data in records {
                        reply.add_answer(Record::from_rdata(query.name().clone(), 60, data));
                    }
                }
                Err(code) => reply.metadata.response_code = code,
            }
            let _ = socket.send_to(&reply.to_vec().unwrap(), from).await;
        }
    });
    address
}

async fn resolver(more: &[(&str, &str)]) -> Arc<Dns> {
    let servers = server().await.to_string();
    let mut entries = vec![("servers", servers.as_str())];
    entries.extend(more);
    Arc::new(open(context("/nowhere".as_ref()), metadata(&entries), Vec::new()).unwrap())
}

async fn hosts(dns: &Dns, namespace: &str, app: &str) -> Result<Vec<String>, ResolveError> {
    let target = Target {
        namespace: namespace.parse().unwrap(),
        app: app.parse().unwrap(),
    };
    let mut hosts: Vec<_> = dns
        .resolve(&target)
        .await?
        .iter()
        .map(ToString::to_string)
        .collect();
    hosts.sort();
    Ok(hosts)
}

#[tokio::test]
async fn a_headless_service_names_its_hosts() {
    let dns = resolver(&[("template", "{app}.{namespace}.test")]).await;
    let found = hosts(&dns, "shop", "inventory").await.unwrap();
    assert_eq!(found, ["10.0.0.1:50002", "10.0.0.2:50002"]);
    let found = hosts(&dns, "other", "inventory").await.unwrap();
    assert_eq!(found, ["10.0.0.3:50002"]);
    assert!(hosts(&dns, "shop", "nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn srv_records_bring_their_ports() {
    let dns = resolver(&[
        ("template", "_berth._tcp.{app}.{namespace}.test"),
        ("records", "srv"),
    ])
    .await;
    let found = hosts(&dns, "shop", "inventory").await.unwrap();
    assert_eq!(found, ["10.0.0.11:1001", "10.0.0.12:1002"]);
    assert!(hosts(&dns, "shop", "nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_fails_is_an_error_and_no_empty_answer() {
    let dns = resolver(&[("template", "{app}.{namespace}.test")]).await;
    let error = hosts(&dns, "shop", "broken").await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("DNS name `broken.shop.test.`"),
        "{error}"
    );
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |entries: &[(&str, &str)]| {
        let opened = open(context("/nowhere".as_ref()), metadata(entries), Vec::new());
        opened.map(drop).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&[("template", "{app}.test")]),
        "metadata `template`: expected a name with `{app}` and `{namespace}`"
    );
    assert_eq!(
        refused(&[("servers", "dns.example.com")]),
        "metadata `servers`: expected addresses such as `10.0.0.10:53`, found `dns.example.com`"
    );
}
