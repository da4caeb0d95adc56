//! A backend of this build, opened in this process without a host around it.

use anyhow::{Context, Result};
use berth_blocks::registry::{Connections, Metadata, OpenContext, Opened};
use std::path::PathBuf;

/// Opens an embedded backend with the metadata that it has by default.
pub async fn open(kind: &str, data_dir: PathBuf) -> Result<Opened> {
    let registry = berth_drivers::registry();
    let driver = registry
        .driver(kind)
        .with_context(|| format!("this build has no {kind}"))?;
    let context = OpenContext {
        name: "bench".to_owned(),
        namespace: "default".parse().context("the name of the namespace")?,
        data_dir,
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let opened = (driver.open)(context, Metadata::new()).await;
    opened.with_context(|| format!("opening {kind}"))
}
