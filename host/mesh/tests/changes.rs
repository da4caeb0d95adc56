//! Under load: certificates are renewed, hosts stop and die, and no call fails.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use berth_blocks::invocation::Target;
use berth_mesh::{
    CaOptions, ClientLimits, DevelopmentCa, Gate, Keyring, Mesh, MeshListener, Security,
    ServerLimits, TrustDomain,
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::*;

/// Callers that call without a pause until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    callers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(mesh: &Arc<Mesh>, callers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicUsize::new(0));
        let callers = (0..callers)
            .map(|number| {
                let (mesh, stop, done) = (mesh.clone(), stop.clone(), done.clone());
                tokio::spawn(async move {
                    let mut failures = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        // With and without a body.
                        let request = if number % 2 == 0 {
                            get("/")
                        } else {
                            post("/", "milk")
                        };
                        match mesh
                            .call(&caller("orders"), &app("inventory"), request)
                            .await
                        {
                            Ok(answer) => {
                                text(answer).await;
                                done.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(failure) => failures.push(failure.to_string()),
                        }
                    }
                    failures
                })
            })
            .collect();
        Self {
            stop,
            done,
            callers,
        }
    }

    /// Waits until this many more calls have succeeded.
    async fn more(&self, calls: usize) {
        let goal = self.done.load(Ordering::Relaxed) + calls;
        until("calls go on", || self.done.load(Ordering::Relaxed) >= goal).await;
    }

    /// The failures of all callers.
    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for caller in self.callers {
            failures.extend(caller.await.unwrap());
        }
        failures
    }
}

const NONE: [&str; 0] = [];

/// Certificates that are new at every look.
fn short_lived() -> CaOptions {
    CaOptions {
        // Two thirds of it and of the skew before it are always over.
        workload_life: Duration::from_secs(60),
        ..CaOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_roots_are_renewed_without_a_failed_call() {
    let fleet = Fleet::with(short_lived());
    let (server, client) = (
        fleet.keyring(&["inventory"]).await,
        fleet.keyring(&["orders"]).await,
    );
    let host = Host::start(
        Security::Mutual(server.clone()),
        Apps::echo(&["inventory"]),
        ServerLimits::default(),
    );
    let mesh = Mesh::new(
        Security::Mutual(client.clone()),
        Answers::new(&[host.address]),
        ClientLimits::default(),
    );
    let load = Load::start(&mesh, 8);
    load.more(50).await;
    for round in 0..10 {
        if round % 3 == 0 {
            fleet.ca.rotate().unwrap();
        }
        // Each side at a time of its own.
        assert_eq!(renewed(&server).await, 1);
        load.more(20).await;
        assert_eq!(renewed(&client).await, 1);
        load.more(20).await;
    }
    assert_eq!(load.end().await, NONE);
}

async fn renewed(keyring: &Keyring) -> usize {
    keyring.refresh().await.unwrap()
}

#[tokio::test]
async fn a_connection_is_left_when_its_certificate_is_renewed() {
    let (counts, _guard) = Counts::record();
    let fleet = Fleet::with(short_lived());
    let keyring = fleet.keyring(&["orders"]).await;
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = Mesh::new(
        Security::Mutual(keyring.clone()),
        Answers::new(&[host.address]),
        ClientLimits::default(),
    );
    for _ in 0..3 {
        for _ in 0..2 {
            let answer = mesh
                .call(&caller("orders"), &app("inventory"), get("/"))
                .await;
            text(answer.unwrap()).await;
        }
        renewed(&keyring).await;
    }
    // The last one is left at the next call.
    assert_eq!(counts.of("berth_mesh_connections side=client"), 1);
    until("the host sees the others go", || {
        host.serving.connections() == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_takes_nothing_new_and_no_call_fails() {
    let fleet = Fleet::new();
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(fleet.host(&["inventory"], Apps::echo(&["inventory"])).await);
    }
    let addresses: Vec<SocketAddr> = hosts.iter().map(|host| host.address).collect();
    let mesh = fleet.mesh(&["orders"], &addresses).await;
    let load = Load::start(&mesh, 8);
    load.more(100).await;
    // The resolver goes on to name them: a registry is never quite up to date.
    for host in hosts.drain(..2) {
        assert_eq!(host.serving.drain(Duration::from_secs(20)).await, 0);
        load.more(100).await;
    }
    assert_eq!(load.end().await, NONE);
}

/// A host that can be killed: nothing of it survives, and the kernel closes what it had open.
struct Mortal {
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Mortal {
    fn start(folder: std::path::PathBuf) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let address = runtime.block_on(async {
            let ca = DevelopmentCa::open(&folder, CaOptions::default()).unwrap();
            let keyring = Keyring::open(TrustDomain::default(), Arc::new(ca), apps(&["inventory"]));
            let security = Security::Mutual(keyring.await.unwrap());
            let listener = MeshListener::bind(
                "127.0.0.1:0".parse().unwrap(),
                security,
                ServerLimits::default(),
            );
            let gate = Gate::new(Apps::echo(&["inventory"]), TrustDomain::default());
            let serving = listener.unwrap().serve(Arc::new(gate)).unwrap();
            serving.address()
        });
        Self {
            address,
            runtime: Some(runtime),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_host_that_dies_only_calls_that_were_under_way_fail() {
    let fleet = Fleet::new();
    let folder = fleet.folder.path().join("ca");
    let start = || Mortal::start(folder.clone());
    let hosts = tokio::task::block_in_place(|| [start(), start(), start()]);
    let addresses = hosts.each_ref().map(|host| host.address);
    let mesh = fleet.mesh(&["orders"], &addresses).await;
    let load = Load::start(&mesh, 8);
    load.more(200).await;
    let [first, _second, _third] = hosts;
    let dead = first.address;
    drop(first);
    load.more(500).await;
    let failures = load.end().await;
    // Each caller had at most one call there.
    assert!(failures.len() <= 8, "{failures:?}");
    for failure in &failures {
        assert!(
            failure.contains("the connection ended while the request was under way")
                && failure.contains(&dead.to_string()),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn the_error_at_the_end_says_which_hosts_were_tried() {
    let fleet = Fleet::new();
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        addresses.push(listener.local_addr().unwrap());
    }
    let mesh = fleet.mesh(&["orders"], &addresses).await;
    let called = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    let failure = called.map(drop).unwrap_err();
    assert_eq!(failure.delivery(), berth_mesh::Delivery::Undelivered);
    let mut tried: Vec<_> = failure.tried.iter().map(|attempt| attempt.host).collect();
    tried.sort();
    addresses.sort();
    assert_eq!(tried, addresses);
    let text = failure.to_string();
    assert!(
        text.starts_with("app \"inventory\" could not be reached: tried 127.0.0.1:"),
        "{text}"
    );
    assert_eq!(text.matches("(connection refused)").count(), 2, "{text}");
}

#[tokio::test]
async fn an_app_that_nobody_has_is_not_found() {
    let fleet = Fleet::new();
    let mesh = fleet.mesh(&["orders"], &[]).await;
    let called = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    assert_eq!(
        told(called),
        "no app `inventory` in namespace `shop`: no host has announced it"
    );
}

#[tokio::test]
async fn access_control_holds_between_hosts_and_within_one() {
    use berth_blocks::invocation::{Invoke, InvokeError};
    let fleet = Fleet::new();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    host.gate.set_rules(rules());
    let mesh = fleet.mesh(&["orders", "carts"], &[host.address]).await;
    for (name, path, expected) in [
        ("orders", "/stock", true),
        ("orders", "/reserve", false),
        ("carts", "/stock", false),
    ] {
        let between = mesh.call(&caller(name), &app("inventory"), get(path)).await;
        let between = between.map(drop).map_err(InvokeError::from);
        let within = host
            .gate
            .invoke(&caller(name), &app("inventory"), get(path))
            .await;
        let within = within.map(drop);
        assert_eq!(within.is_ok(), expected, "{name} {path}");
        assert_eq!(between, within);
    }
    // An app may always call itself.
    let own = host
        .gate
        .invoke(&caller("inventory"), &app("inventory"), get("/reserve"))
        .await;
    assert!(own.is_ok());
}

fn rules() -> HashMap<Target, Arc<berth_resources::AccessControl>> {
    let text = "apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: strict, namespace: shop }
spec:
  accessControl:
    defaultAction: deny
    policies:
      - appId: orders
        namespace: shop
        trustDomain: public
        operations:
          - { name: /stock, httpVerb: [GET], action: allow }
";
    let source = berth_resources::Source::Text {
        name: "rules".into(),
        text: text.to_owned(),
    };
    let loaded = berth_resources::load(&[source], &berth_resources::LoadOptions::default());
    let control = loaded.resources.configurations[0].access_control.clone();
    HashMap::from([(app("inventory"), Arc::new(control.unwrap()))])
}
