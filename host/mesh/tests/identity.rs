//! Who is let in, who is not, and that each case is told apart and counted.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use berth_blocks::invocation::InvokeError;
use berth_mesh::{CaOptions, ClientLimits, Delivery, Mesh, Security, ServerLimits};
use std::{sync::Arc, time::Duration};
use support::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the app `orders` is told that calls `inventory` in vain.
async fn refusal(mesh: &Mesh) -> String {
    told(
        mesh.call(&caller("orders"), &app("inventory"), get("/"))
            .await,
    )
}

#[tokio::test]
async fn an_app_calls_an_app_of_another_host() {
    let fleet = Fleet::new();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let answer = mesh
        .call(
            &caller("orders"),
            &app("inventory"),
            post("/reserve?n=1", "milk"),
        )
        .await;
    assert_eq!(text(answer.unwrap()).await, "orders/reserve milk");
}

#[tokio::test]
async fn connections_belong_to_the_calling_app_and_are_used_again() {
    let (counts, _guard) = Counts::record();
    let fleet = Fleet::new();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = fleet.mesh(&["orders", "carts"], &[host.address]).await;
    for name in ["orders", "carts", "orders", "carts", "orders"] {
        let answer = mesh.call(&caller(name), &app("inventory"), get("/")).await;
        assert_eq!(text(answer.unwrap()).await, format!("{name}/ "));
    }
    assert_eq!(counts.of("berth_mesh_connections side=client"), 2);
    assert_eq!(host.serving.connections(), 2);
}

#[tokio::test]
async fn another_authority_is_not_trusted_by_either_side() {
    let (counts, _guard) = Counts::record();
    let (ours, theirs) = (Fleet::new(), Fleet::new());
    let host = ours.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = theirs.mesh(&["orders"], &[host.address]).await;
    assert_eq!(
        refusal(&mesh).await,
        "app \"inventory\" could not be reached: tried host (its certificate comes from an authority that is not \
         trusted here)"
    );
    until("the host hears of it", || {
        counts.refused("refused_by_peer") == 1
    })
    .await;
}

/// A client that trusts the host, but shows what the host does not trust.
async fn with_certificate_of(fleet: &Fleet, issuer: &Fleet, name: &str) -> Arc<Mesh> {
    let folder = fleet.folder.path().join("mixed");
    std::fs::create_dir_all(&folder).unwrap();
    let issued = issuer.ca.issue(&app(name)).unwrap();
    std::fs::write(folder.join("tls.crt"), issued.certificate_pem).unwrap();
    std::fs::write(folder.join("tls.key"), issued.key_pem).unwrap();
    std::fs::write(folder.join("ca.crt"), fleet.ca.bundle_pem().unwrap()).unwrap();
    let source = Arc::new(berth_mesh::CertificateDirectory::new(folder));
    let keyring = keyring(source, &issuer.trust_domain, &[]).await;
    Mesh::new(
        Security::Mutual(keyring),
        Answers::new(&[]),
        ClientLimits::default(),
    )
}

#[tokio::test]
async fn a_caller_of_another_authority_is_refused_and_counted() {
    let (counts, _guard) = Counts::record();
    let (fleet, other) = (Fleet::new(), Fleet::new());
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = with_certificate_of(&fleet, &other, "orders").await;
    mesh.set_resolver(Answers::new(&[host.address]));
    assert_eq!(
        refusal(&mesh).await,
        "app \"inventory\" could not be reached: tried host (it does not trust the authority of our certificate)"
    );
    assert_eq!(counts.refused("unknown_authority"), 1);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_both_sides() {
    let (counts, _guard) = Counts::record();
    // The authority still holds, what it issued does not.
    let fleet = Fleet::with(CaOptions {
        now: last_year,
        ..CaOptions::default()
    });
    let good = Fleet {
        ca: Arc::new(
            berth_mesh::DevelopmentCa::open(&fleet.folder.path().join("ca"), CaOptions::default())
                .unwrap(),
        ),
        folder: tempfile::tempdir().unwrap(),
        trust_domain: fleet.trust_domain.clone(),
    };
    let old_host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = good.mesh(&["orders"], &[old_host.address]).await;
    assert_eq!(
        refusal(&mesh).await,
        "app \"inventory\" could not be reached: tried host (its certificate has expired)"
    );
    let host = good.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let old = fleet.mesh(&["orders"], &[host.address]).await;
    assert_eq!(
        refusal(&old).await,
        "app \"inventory\" could not be reached: tried host (it refuses our certificate as expired or not yet valid)"
    );
    assert_eq!(counts.refused("certificate_expired"), 1);
}

/// Two domains under one authority.
fn two_domains() -> (Fleet, Fleet) {
    let public = Fleet::new();
    let options = CaOptions {
        trust_domain: "partner".parse().unwrap(),
        ..CaOptions::default()
    };
    let folder = public.folder.path().join("ca");
    let ca = berth_mesh::DevelopmentCa::open(&folder, options.clone()).unwrap();
    let partner = Fleet {
        ca: Arc::new(ca),
        folder: tempfile::tempdir().unwrap(),
        trust_domain: options.trust_domain,
    };
    (public, partner)
}

#[tokio::test]
async fn another_trust_domain_is_refused_by_both_sides() {
    let (counts, _guard) = Counts::record();
    let (public, partner) = two_domains();
    let host = partner
        .host(&["inventory"], Apps::echo(&["inventory"]))
        .await;
    let mesh = public.mesh(&["orders"], &[host.address]).await;
    assert_eq!(
        refusal(&mesh).await,
        "app \"inventory\" could not be reached: tried host (it is of the trust domain `partner`, not of `public`)"
    );
    // A caller that would accept the host is refused by it.
    let host = public
        .host(&["inventory"], Apps::echo(&["inventory"]))
        .await;
    let stranger = raw::client(&partner, "orders").await;
    let refused = stranger
        .handshake(host.address, "inventory.shop.berth.internal")
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("CertificateUnknown")
    );
    until("it is counted", || {
        counts.refused("wrong_trust_domain") == 1
    })
    .await;
}

#[tokio::test]
async fn a_host_with_another_apps_certificate_is_refused() {
    let fleet = Fleet::new();
    let address = raw::server_that_is_always(&fleet, "carts").await;
    let mesh = fleet.mesh(&["orders"], &[address]).await;
    assert_eq!(
        refusal(&mesh).await,
        "app \"inventory\" could not be reached: tried host (it is `spiffe://public/ns/shop/carts`, not the app that \
         was meant)"
    );
}

#[tokio::test]
async fn an_app_that_the_host_does_not_have_is_refused_in_the_handshake() {
    let (counts, _guard) = Counts::record();
    let fleet = Fleet::new();
    let host = fleet.host(&["carts"], Apps::echo(&["carts"])).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let called = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    let failure = called.map(drop).unwrap_err();
    assert_eq!(failure.delivery(), Delivery::Undelivered);
    assert_eq!(counts.refused("unknown_app"), 1);
}

#[tokio::test]
async fn an_app_that_left_since_it_was_announced_is_asked_for_elsewhere() {
    let fleet = Fleet::new();
    let gone = Apps::echo(&["inventory"]);
    gone.remove("inventory");
    let old = fleet.host(&["inventory"], gone).await;
    let new = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = fleet.mesh(&["orders"], &[old.address]).await;
    assert_eq!(
        refusal(&mesh).await,
        "app \"inventory\" could not be reached: tried host (it does not have the app any more)"
    );
    mesh.set_resolver(Answers::new(&[old.address, new.address]));
    let answer = eventually(&mesh).await;
    assert_eq!(answer, "orders/ ");
}

/// Calls until the new answer of the resolver is known.
async fn eventually(mesh: &Mesh) -> String {
    loop {
        let called = mesh
            .call(&caller("orders"), &app("inventory"), get("/"))
            .await;
        if let Ok(answer) = called {
            return text(answer).await;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_callers_name_in_a_header_is_not_believed() {
    let fleet = Fleet::new();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let mut request = get("/");
    for name in ["berth-caller", "berth-callee", "berth-refusal"] {
        request
            .headers_mut()
            .insert(name, "admin.shop".parse().unwrap());
    }
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), request)
        .await;
    assert_eq!(text(answer.unwrap()).await, "orders/ ");
}

#[tokio::test]
async fn another_namespace_is_another_tenant() {
    let fleet = Fleet::new();
    let host = fleet
        .host(
            &["inventory", "inventory.other"],
            Apps::echo(&["inventory", "inventory.other"]),
        )
        .await;
    let mesh = fleet
        .mesh(&["orders", "orders.other"], &[host.address])
        .await;
    let answer = mesh
        .call(&caller("orders.other"), &app("inventory.other"), get("/"))
        .await;
    assert_eq!(text(answer.unwrap()).await, "orders/ ");
    let called = mesh
        .call(&caller("orders"), &app("inventory.other"), get("/"))
        .await;
    let failure = called.map(drop).unwrap_err();
    assert_eq!(failure.delivery(), Delivery::Undelivered);
    assert!(matches!(InvokeError::from(failure), InvokeError::Denied(_)));
}

#[tokio::test]
async fn plain_http_to_the_port_is_refused_and_counted() {
    let (counts, _guard) = Counts::record();
    let fleet = Fleet::new();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: inventory\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    until("it is counted", || counts.refused("not_tls") == 1).await;
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused_and_counted() {
    let (counts, _guard) = Counts::record();
    let fleet = Fleet::new();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let nobody = raw::client_without_certificate(&fleet).await;
    let refused = nobody
        .handshake(host.address, "inventory.shop.berth.internal")
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("CertificateRequired")
    );
    until("it is counted", || counts.refused("no_certificate") == 1).await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended_and_harms_nobody() {
    let (counts, _guard) = Counts::record();
    let fleet = Fleet::new();
    let limits = ServerLimits {
        handshake_timeout: Duration::from_millis(50),
        handshakes_max: 2,
        ..ServerLimits::default()
    };
    let host = fleet
        .host_with(&["inventory"], Apps::echo(&["inventory"]), limits)
        .await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        // The beginning of a record.
        stream.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        slow.push(stream);
    }
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    assert_eq!(text(answer.unwrap()).await, "orders/ ");
    for mut stream in slow {
        let ended = stream.read(&mut [0; 16]).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    assert_eq!(counts.refused("handshake_timeout"), 4);
}

#[tokio::test]
async fn a_host_that_hangs_in_the_handshake_is_left_for_another() {
    let fleet = Fleet::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let addresses = [silent.local_addr().unwrap(), host.address];
    let security = Security::Mutual(fleet.keyring(&["orders"]).await);
    let limits = ClientLimits {
        handshake_timeout: Duration::from_millis(50),
        ..ClientLimits::default()
    };
    let mesh = Mesh::new(security, Answers::new(&addresses), limits);
    for _ in 0..8 {
        let answer = mesh
            .call(&caller("orders"), &app("inventory"), get("/"))
            .await;
        assert_eq!(text(answer.unwrap()).await, "orders/ ");
    }
}

#[tokio::test]
async fn plain_text_is_spoken_on_loopback_only_and_only_if_asked_for() {
    let host = Host::start(
        Security::Plain,
        Apps::echo(&["inventory"]),
        ServerLimits::default(),
    );
    let mesh = Mesh::new(
        Security::Plain,
        Answers::new(&[host.address]),
        ClientLimits::default(),
    );
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    assert_eq!(text(answer.unwrap()).await, "orders/ ");
    let beyond = berth_mesh::MeshListener::bind(
        "0.0.0.0:0".parse().unwrap(),
        Security::Plain,
        ServerLimits::default(),
    );
    assert!(
        beyond
            .map(|_| ())
            .unwrap_err()
            .to_string()
            .contains("not a loopback address")
    );
    mesh.set_resolver(Answers::new(&["192.0.2.1:1".parse().unwrap()]));
    let failure = loop {
        match mesh
            .call(&caller("orders"), &app("inventory"), get("/"))
            .await
        {
            Ok(_) => tokio::task::yield_now().await,
            Err(failure) => break failure,
        }
    };
    assert!(
        failure
            .to_string()
            .contains("192.0.2.1:1 is not a loopback address"),
        "{failure}"
    );
    // A host that wants TLS takes no plain text.
    let fleet = Fleet::new();
    let strict = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = Mesh::new(
        Security::Plain,
        Answers::new(&[strict.address]),
        ClientLimits::default(),
    );
    let called = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    assert_eq!(
        called.map(drop).unwrap_err().delivery(),
        Delivery::Undelivered
    );
}

#[path = "support/raw.rs"]
mod raw;
