//! Hosts for tests: real sockets, real TLS, apps that are closures.
#![allow(dead_code, reason = "each test file uses its part")]

mod counts;

#[allow(unused_imports, reason = "each test file uses its part")]
pub use counts::Counts;

use async_trait::async_trait;
use berth_blocks::{
    Caller,
    invocation::{Body, Invoke, InvokeError, LocalApps, Target},
    resolution::{ResolveError, Resolver},
};
use berth_mesh::{
    CaOptions, CallFailure, CertificateSource, ClientLimits, DevelopmentCa, Gate, Keyring, Mesh,
    MeshListener, Security, ServerLimits, ServingMesh, TrustDomain,
};
use berth_telemetry::trace::{Origin, Trace};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tempfile::TempDir;

/// An app of the namespace `shop`, or `app.namespace`.
pub fn app(name: &str) -> Target {
    let (app, namespace) = name.split_once('.').unwrap_or((name, "shop"));
    Target {
        namespace: namespace.parse().unwrap(),
        app: app.parse().unwrap(),
    }
}

pub fn apps(names: &[&str]) -> HashSet<Target> {
    names.iter().map(|name| app(name)).collect()
}

/// A call of an app that goes on for half a minute at most.
pub fn caller(name: &str) -> Caller {
    let Target { namespace, app } = app(name);
    Caller {
        namespace,
        app,
        trace: Trace::remote(Origin::of_texts(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "",
            "user=alice",
        )),
        deadline: Instant::now() + Duration::from_secs(30),
    }
}

pub fn body(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(path).body(body("")).unwrap()
}

pub fn post(path: &str, text: impl Into<Bytes>) -> Request<Body> {
    Request::post(path).body(body(text)).unwrap()
}

pub async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What an app does with a call.
pub type Answer = dyn Fn(Caller, Request<Body>) -> BoxFuture<'static, Result<Response<Body>, InvokeError>>
    + Send
    + Sync;

/// The apps of a host.
pub struct Apps {
    names: Mutex<HashSet<Target>>,
    answer: Arc<Answer>,
}

impl Apps {
    pub fn new<F>(
        names: &[&str],
        answer: impl Fn(Caller, Request<Body>) -> F + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        F: Future<Output = Result<Response<Body>, InvokeError>> + Send + 'static,
    {
        Arc::new(Self {
            names: Mutex::new(apps(names)),
            answer: Arc::new(move |caller, request| Box::pin(answer(caller, request))),
        })
    }

    /// Apps that say who called whom, and what was sent.
    pub fn echo(names: &[&str]) -> Arc<Self> {
        Self::new(names, |caller, request| async move {
            let path = request.uri().path().to_owned();
            let sent = request
                .into_body()
                .collect()
                .await
                .map_err(|error| InvokeError::Other(error.to_string()))?;
            let sent = String::from_utf8_lossy(&sent.to_bytes()).into_owned();
            Ok(Response::new(body(format!("{}{path} {sent}", caller.app))))
        })
    }

    pub fn remove(&self, name: &str) {
        self.names.lock().remove(&app(name));
    }
}

#[async_trait]
impl Invoke for Apps {
    async fn invoke(
        &self,
        caller: &Caller,
        _target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        (self.answer)(caller.clone(), request).await
    }
}

impl LocalApps for Apps {
    fn serves(&self, target: &Target) -> bool {
        self.names.lock().contains(target)
    }
}

/// A resolver whose answers a test sets.
#[derive(Default)]
pub struct Answers(Mutex<Vec<SocketAddr>>);

impl Answers {
    pub fn new(addresses: &[SocketAddr]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(addresses.to_vec())))
    }

    pub fn set(&self, addresses: &[SocketAddr]) {
        *self.0.lock() = addresses.to_vec();
    }
}

#[async_trait]
impl Resolver for Answers {
    async fn resolve(&self, _target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
        Ok(self.0.lock().clone())
    }
}

/// An authority and the hosts that trust it.
pub struct Fleet {
    pub folder: TempDir,
    pub ca: Arc<DevelopmentCa>,
    pub trust_domain: TrustDomain,
}

impl Fleet {
    pub fn new() -> Self {
        Self::with(CaOptions::default())
    }

    pub fn with(options: CaOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trust_domain = options.trust_domain.clone();
        let ca = Arc::new(DevelopmentCa::open(&folder.path().join("ca"), options).unwrap());
        Self {
            folder,
            ca,
            trust_domain,
        }
    }

    pub async fn keyring(&self, names: &[&str]) -> Arc<Keyring> {
        keyring(self.ca.clone(), &self.trust_domain, names).await
    }

    /// A host with these apps.
    pub async fn host(&self, names: &[&str], apps: Arc<Apps>) -> Host {
        self.host_with(names, apps, ServerLimits::default()).await
    }

    pub async fn host_with(&self, names: &[&str], apps: Arc<Apps>, limits: ServerLimits) -> Host {
        let keyring = self.keyring(names).await;
        Host::start(Security::Mutual(keyring), apps, limits)
    }

    /// The calling side of a host with these apps.
    pub async fn mesh(&self, names: &[&str], hosts: &[SocketAddr]) -> Arc<Mesh> {
        let security = Security::Mutual(self.keyring(names).await);
        Mesh::new(security, Answers::new(hosts), ClientLimits::default())
    }
}

pub async fn keyring(
    source: Arc<dyn CertificateSource>,
    trust_domain: &TrustDomain,
    names: &[&str],
) -> Arc<Keyring> {
    Keyring::open(trust_domain.clone(), source, apps(names))
        .await
        .unwrap()
}

/// A listener at work.
pub struct Host {
    pub address: SocketAddr,
    pub gate: Arc<Gate>,
    pub serving: ServingMesh,
}

impl Host {
    pub fn start(security: Security, apps: Arc<Apps>, limits: ServerLimits) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = MeshListener::bind(address, security, limits).unwrap();
        let gate = Arc::new(Gate::new(apps, TrustDomain::default()));
        let serving = listener.serve(gate.clone()).unwrap();
        Self {
            address: serving.address(),
            gate,
            serving,
        }
    }
}

/// The text of a call that must fail, with ports taken out.
pub fn told(called: Result<Response<Body>, CallFailure>) -> String {
    let failure = called.map(|response| response.status()).unwrap_err();
    let text = failure.to_string();
    let mut told = String::new();
    for (place, part) in text.split("127.0.0.1:").enumerate() {
        if place == 0 {
            told.push_str(part);
        } else {
            told.push_str("host");
            told.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
    }
    told
}

/// A time that is long over.
pub fn last_year() -> SystemTime {
    SystemTime::now() - Duration::from_secs(300 * 24 * 3600)
}

/// Waits until a condition holds, which it must in the end.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(patience.await.is_ok(), "{what}");
}
