//! Host to host over mutual TLS against bare hyper HTTP/2 over the same TLS, as a ratio of one run; and the tail of the
//! latency while one of three hosts dies.
//!
//! ```text
//! cargo run --release -p berth-mesh --example mesh_bench
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may fail by a panic and speaks to people"
)]

#[path = "mesh_bench/bare.rs"]
mod bare;
#[path = "../tests/support/mod.rs"]
mod support;

use berth_blocks::{
    Caller,
    invocation::{Body, InvokeError, Target},
};
use berth_mesh::{
    CaOptions, DevelopmentCa, Gate, Keyring, Mesh, MeshListener, Security, ServerLimits,
    TrustDomain,
};
use http::{Request, Response};
use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use support::*;
use tokio::runtime::Runtime;

const CALLERS: usize = 64;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

/// An answer of a few bytes, at once.
async fn hello(_: Caller, _: Request<Body>) -> Result<Response<Body>, InvokeError> {
    Ok(Response::new(body("hello")))
}

fn main() {
    let (server, client) = (runtime(), runtime());
    let fleet = Fleet::new();
    let host = server.block_on(fleet.host(&["inventory"], Apps::new(&["inventory"], hello)));
    let mesh = client.block_on(fleet.mesh(&["orders"], &[host.address]));
    let bare_server = server.block_on(bare::serve(&fleet));
    let bare_client = client.block_on(bare::connect(&fleet, bare_server));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // In turns, so that both see the same moods of the machine.
    for round in 0..=ROUNDS {
        let mesh = mesh.clone();
        let calls = client.block_on(rate(move || {
            let mesh = mesh.clone();
            async move { call(&mesh).await.unwrap() }
        }));
        let bare = bare_client.clone();
        let requests = client.block_on(rate(move || bare.clone().get()));
        // The first round warms up.
        if round > 0 {
            ours.push(calls);
            theirs.push(requests);
        }
    }
    let (ours, theirs) = (Rate::median(ours), Rate::median(theirs));
    println!(
        "host to host, mutual TLS: {:.0}/s; bare hyper, same TLS: {:.0}/s; ratio {:.2}; per second of CPU {:.2}",
        ours.per_second,
        theirs.per_second,
        ours.per_second / theirs.per_second,
        ours.per_cpu_second / theirs.per_cpu_second
    );
    client.block_on(dying(&fleet));
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

async fn call(mesh: &Mesh) -> Result<(), String> {
    // Who calls whom is known before: names are parsed once.
    static ENDS: LazyLock<(Caller, Target)> =
        LazyLock::new(|| (caller("orders"), app("inventory")));
    let (orders, inventory) = &*ENDS;
    let orders = Caller {
        deadline: Instant::now() + Duration::from_secs(30),
        ..orders.clone()
    };
    let called = mesh.call(&orders, inventory, get("/hello")).await;
    let answer = called.map_err(|failure| failure.to_string())?;
    assert_eq!(text(answer).await, "hello");
    Ok(())
}

/// How fast requests were answered.
#[derive(Clone, Copy)]
struct Rate {
    per_second: f64,
    /// Both sides together. It says the same whoever else uses the machine.
    per_cpu_second: f64,
}

impl Rate {
    fn median(rates: Vec<Self>) -> Self {
        let of = |part: fn(&Self) -> f64| median(rates.iter().map(part).collect());
        Self {
            per_second: of(|rate| rate.per_second),
            per_cpu_second: of(|rate| rate.per_cpu_second),
        }
    }
}

/// CPU time of this process so far, in seconds: fields 14 and 15 of `/proc/self/stat`, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
    (ticks(14) + ticks(15)) / 100.0
}

/// Requests of many callers.
async fn rate<F>(ask: impl Fn() -> F + Clone + Send + 'static) -> Rate
where
    F: Future<Output = ()> + Send,
{
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (ask, stop, done) = (ask.clone(), stop.clone(), done.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    ask().await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let (began, cpu) = (Instant::now(), cpu_seconds());
    tokio::time::sleep(ROUND).await;
    let (done, took) = (done.load(Ordering::Relaxed) as f64, began.elapsed());
    let cpu = cpu_seconds() - cpu;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    Rate {
        per_second: done / took.as_secs_f64(),
        per_cpu_second: done / cpu,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A host on a runtime of its own, so that it can die.
fn mortal(fleet: &Fleet) -> (Runtime, SocketAddr) {
    let runtime = runtime();
    let folder = fleet.folder.path().join("ca");
    let (send, receive) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let ca = DevelopmentCa::open(&folder, CaOptions::default()).unwrap();
        let keyring = Keyring::open(TrustDomain::default(), Arc::new(ca), apps(&["inventory"]));
        let security = Security::Mutual(keyring.await.unwrap());
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = MeshListener::bind(any, security, ServerLimits::default()).unwrap();
        let gate = Gate::new(Apps::new(&["inventory"], hello), TrustDomain::default());
        send.send(listener.serve(Arc::new(gate)).unwrap().address())
            .unwrap();
    });
    (runtime, receive.recv().unwrap())
}

/// Latencies of calls at a steady rate while one of three hosts dies.
async fn dying(fleet: &Fleet) {
    let hosts = [mortal(fleet), mortal(fleet), mortal(fleet)];
    let addresses = hosts.each_ref().map(|(_, address)| *address);
    let mesh = fleet.mesh(&["orders"], &addresses).await;
    let [(first, _), second, third] = hosts;
    let mut first = Some(first);
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    let mut calls = Vec::new();
    for number in 0..6_000 {
        pace.tick().await;
        if number == 3_000 {
            first.take().unwrap().shutdown_background();
        }
        let mesh = mesh.clone();
        calls.push(tokio::spawn(async move {
            let began = Instant::now();
            let called = call(&mesh).await;
            (began.elapsed(), called)
        }));
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    for call in calls {
        let (took, called) = call.await.unwrap();
        times.push(took);
        failed += usize::from(called.is_err());
    }
    // Before, and from the moment of the death on.
    let mut after = times.split_off(3_000);
    println!(
        "1,000 calls/s: p99 {:?} with three hosts, {:?} while one dies; {failed} calls failed, which were under way there",
        p99(&mut times),
        p99(&mut after)
    );
    for (runtime, _) in [second, third] {
        runtime.shutdown_background();
    }
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}
