//! What one call to state in memory costs with all its policies: `cargo run --release --example call_cost`.

use berth_blocks::{
    Backend, Backends, Blocks, Caller, SetItem, in_memory,
    registry::{Connections, Metadata, OpenContext},
    state::GetOptions,
};
use berth_resources::Namespace;
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
        traceparent: "".into(),
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
    report("state.set", start)
}

fn report(what: &str, start: Instant) -> Result<(), Box<dyn Error>> {
    let each = start.elapsed() / CALLS;
    Ok(writeln!(std::io::stdout(), "{what}: {each:?} each")?)
}
