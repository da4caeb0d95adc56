//! What one call costs with all its policies, to state in memory and to an app that answers at once:
//! `cargo run --release -p berth-blocks --example call_cost`.

use async_trait::async_trait;
use berth_blocks::{
    Backend, Backends, Blocks, Caller, SetItem, in_memory,
    invocation::{Body, Invoke, InvokeError, Target},
    registry::{Connections, Metadata, OpenContext},
    state::GetOptions,
};
use berth_resiliency::Resiliencies;
use berth_resources::{LoadOptions, Namespace, Source};
use berth_telemetry::trace::Trace;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::{
    error::Error,
    io::Write,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

const CALLS: u32 = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let context = OpenContext {
        name: "statestore".to_owned(),
        namespace: Namespace::default(),
        data_dir: PathBuf::new(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let mut drivers = in_memory().into_iter();
    let driver = drivers
        .find(|driver| driver.kind == "state.in-memory")
        .ok_or("no driver")?;
    let opened = (driver.open)(context, Metadata::new()).await?;
    let store = opened.state.clone().ok_or("no store")?;
    let mut backends = Backends::default();
    backends.insert(Backend::open_to_all(
        "statestore",
        Namespace::default(),
        driver.kind,
        opened,
    ));
    let blocks = Blocks::new();
    blocks.swap(backends);
    let caller = Arc::new(Caller {
        namespace: Namespace::default(),
        app: "orders".parse()?,
        trace: Trace::generate(),
        deadline: Instant::now() + Duration::from_secs(600),
    });
    let state = blocks.state(&caller, "statestore");
    let item = SetItem {
        key: "order-1".to_owned(),
        value: "value".into(),
        ..SetItem::default()
    };
    state.set(item.clone()).await?;

    let start = Instant::now();
    for _ in 0..CALLS {
        store.get("orders||order-1", &GetOptions::default()).await?;
    }
    report("bare store get", start)?;
    let start = Instant::now();
    for _ in 0..CALLS {
        state.get("order-1", GetOptions::default()).await?;
    }
    report("state.get", start)?;
    let start = Instant::now();
    for _ in 0..CALLS {
        blocks
            .state(&caller, "statestore")
            .get("order-1", GetOptions::default())
            .await?;
    }
    report("open and state.get", start)?;
    let start = Instant::now();
    for _ in 0..CALLS {
        state.set(item.clone()).await?;
    }
    report("state.set", start)?;
    blocks.set_invoke(Arc::new(Answers));
    measure_invocations(&blocks, &caller, "invoke, no policy", NO_RETRIES).await?;
    measure_invocations(&blocks, &caller, "invoke, built-in retries", "").await?;
    measure_invocations(&blocks, &caller, "invoke, all policies", ALL).await
}

const NO_RETRIES: &str = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: policies }
spec: { targets: { apps: { stock: {} } } }
";

const ALL: &str = "
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: policies }
spec:
  policies:
    timeouts: { t: 5s }
    retries: { r: { duration: 1s, maxRetries: 3 } }
    circuitBreakers: { c: { interval: 8s } }
  targets:
    apps: { stock: { timeout: t, retry: r, circuitBreaker: c } }
";

struct Answers;

#[async_trait]
impl Invoke for Answers {
    async fn invoke(
        &self,
        _: &Caller,
        _: &Target,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, InvokeError> {
        Ok(http::Response::new(request.into_body()))
    }
}

async fn measure_invocations(
    blocks: &Blocks,
    caller: &Arc<Caller>,
    what: &str,
    document: &str,
) -> Result<(), Box<dyn Error>> {
    let source = Source::Text {
        name: "resiliency.yaml".into(),
        text: document.to_owned(),
    };
    let loaded = berth_resources::load(&[source], &LoadOptions::default());
    let documents = loaded.resources.resiliencies;
    let mut backends = Backends::default();
    backends.govern(Resiliencies::new(documents, None, |_, _| true));
    blocks.swap(backends);
    let invoker = blocks.invoker(caller);
    let start = Instant::now();
    for _ in 0..CALLS {
        let body = Full::new(Bytes::from_static(b"{}")).map_err(|never| match never {});
        let request = http::Request::post("/reserve")
            .header("content-type", "application/json")
            .header("user-agent", "call_cost")
            .header("accept", "*/*")
            .body(body.boxed_unsync())?;
        let answer = invoker.invoke("stock", request).await?;
        let body = answer.into_body().collect().await;
        body.map_err(|error| error.to_string())?;
    }
    report(what, start)
}

fn report(what: &str, start: Instant) -> Result<(), Box<dyn Error>> {
    let each = start.elapsed() / CALLS;
    Ok(writeln!(std::io::stdout(), "{what}: {each:?} each")?)
}
