//! Opening with drivers that only record how they were opened.

mod backends;
mod checking;
mod references;
mod workflows;

use super::*;
use crate::{
    Block, Blocks, Caller, Health,
    registry::{Driver, OpenContext, OpenError, Opened, metadata::DurationOrSeconds},
    secrets::{SecretError, SecretFields, SecretStore},
};
use async_trait::async_trait;
use berth_resources::{
    AppId, ComponentType, DefaultAccess, MetadataItem, MetadataValue, Namespace, Secret,
    SecretScope,
};
use berth_telemetry::trace::Trace;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EngineMetadata {
    #[serde(alias = "server")]
    host: String,
    #[serde(default)]
    #[expect(dead_code, reason = "read by the check only")]
    timeout: Option<DurationOrSeconds>,
    #[serde(default)]
    #[expect(dead_code, reason = "read by the check only")]
    retries: Option<u32>,
    /// No effect: one connection is enough.
    #[serde(default)]
    #[expect(dead_code, reason = "read by the check only")]
    pool_size: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VaultMetadata {
    #[serde(default)]
    token: String,
}

/// Has the secret `db` with the fields `user` and `host`; the latter is the token that the vault was opened with.
struct Vault(String);

#[async_trait]
impl SecretStore for Vault {
    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<SecretFields, SecretError> {
        if name != "db" {
            return Err(SecretError::NotFound(format!("the vault has no `{name}`")));
        }
        let host = format!("host-{}", self.0);
        let fields = [("user", "me".to_owned()), ("host", host)];
        Ok(fields
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .into())
    }

    async fn bulk(
        &self,
        _: &[(String, String)],
    ) -> Result<BTreeMap<String, SecretFields>, SecretError> {
        let fields = self.get("db", &[]).await?;
        Ok([
            ("db".to_owned(), fields.clone()),
            ("other".to_owned(), fields),
        ]
        .into())
    }

    async fn ping(&self) -> Result<(), SecretError> {
        Ok(())
    }
}

type Log = Arc<Mutex<Vec<String>>>;

/// What was opened, in order: `namespace/name[app] host`.
fn registry() -> (Registry, Log) {
    let log = Log::default();
    let mut drivers = crate::in_memory();
    for kind in ["state.engine", "pubsub.engine"] {
        let log = log.clone();
        let driver = Driver::new(
            kind,
            &["v1", "v2"],
            "records",
            move |context: OpenContext, metadata: EngineMetadata| {
                let log = log.clone();
                async move { open_engine(&log, context, metadata).await }
            },
        );
        drivers.push(driver);
    }
    let vaults = log.clone();
    drivers.push(Driver::new(
        "secretstores.vault",
        &["v1"],
        "a vault",
        move |context: OpenContext, metadata: VaultMetadata| {
            vaults.lock().push(format!(
                "{}/{} {}",
                context.namespace, context.name, metadata.token
            ));
            let opened = Opened {
                secrets: Some(Arc::new(Vault(metadata.token))),
                ..Opened::default()
            };
            std::future::ready(Ok(opened))
        },
    ));
    (Registry(drivers), log)
}

async fn open_engine(
    log: &Log,
    context: OpenContext,
    metadata: EngineMetadata,
) -> Result<Opened, OpenError> {
    let apps: Vec<_> = context.apps.iter().map(AppId::as_str).collect();
    log.lock().push(format!(
        "{}/{}{apps:?} {}",
        context.namespace, context.name, metadata.host
    ));
    match metadata.host.as_str() {
        "down" => Err(OpenError::Backend(
            "connecting to down: connection refused".to_owned(),
        )),
        "odd" => Err(OpenError::Metadata {
            field: "host".to_owned(),
            message: "`odd` is no host".to_owned(),
        }),
        "slow" => std::future::pending().await,
        _ => {
            let driver = crate::in_memory()
                .into_iter()
                .find(|driver| driver.kind == "state.in-memory");
            (driver.expect("the driver").open)(context, crate::registry::Metadata::new()).await
        }
    }
}

fn at(line: u32) -> Origin {
    Origin {
        file: Path::new("c.yaml").into(),
        line,
        column: 1,
    }
}

/// A document at line 1, its type at line 2, its metadata from line 10.
fn component(name: &str, kind: &str, metadata: &[(&str, MetadataValue)]) -> Component {
    let items = metadata
        .iter()
        .zip(10..)
        .map(|((name, value), line)| MetadataItem {
            name: (*name).to_owned(),
            value: value.clone(),
            origin: at(line),
        });
    Component {
        name: name.to_owned(),
        namespace: Namespace::default(),
        kind: ComponentType(kind.to_owned()),
        type_origin: at(2),
        version: "v1".to_owned(),
        metadata: items.collect(),
        secret_store: None,
        scopes: Vec::new(),
        init_timeout: Duration::from_secs(5),
        ignore_errors: false,
        origin: at(1),
    }
}

fn plain(text: &str) -> MetadataValue {
    MetadataValue::Plain(text.to_owned())
}

fn secret(name: &str, key: &str) -> MetadataValue {
    MetadataValue::SecretRef {
        name: name.to_owned(),
        key: key.to_owned(),
    }
}

fn engine(name: &str, host: &str) -> Component {
    component(name, "state.engine", &[("host", plain(host))])
}

fn app(id: &str, namespace: &str) -> App {
    App {
        id: id.parse().unwrap(),
        namespace: namespace.parse().unwrap(),
        guest: PathBuf::new(),
        guest_origin: Origin::defaults(),
        http: None,
        limits: berth_resources::Limits::default(),
        instances: berth_resources::Instances::default(),
        allow: berth_resources::Allow::default(),
        configuration: None,
        origin: Origin::defaults(),
    }
}

struct Run {
    data: tempfile::TempDir,
    registry: Registry,
    log: Log,
    apps: Vec<App>,
    native: Vec<(Namespace, AppId)>,
    configurations: Vec<Configuration>,
    resiliencies: Vec<Resiliency>,
}

impl Run {
    fn new() -> Self {
        let (registry, log) = registry();
        let apps = vec![app("orders", "default"), app("carts", "default")];
        Self {
            data: tempfile::tempdir().unwrap(),
            registry,
            log,
            apps,
            native: Vec::new(),
            configurations: Vec::new(),
            resiliencies: Vec::new(),
        }
    }

    async fn open(
        &self,
        components: &[Component],
        before: Option<&Backends>,
    ) -> (Backends, Vec<String>) {
        let plan = OpenPlan {
            data_dir: self.data.path().to_owned(),
            connections: Connections::default(),
            apps: self.apps.clone(),
            native: self.native.clone(),
            configurations: self.configurations.clone(),
            resiliencies: self.resiliencies.clone(),
        };
        let (backends, findings) = open(components, &self.registry, &plan, before).await;
        (backends, findings.iter().map(ToString::to_string).collect())
    }

    fn opened(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock())
    }
}

fn checked(components: &[Component]) -> Vec<String> {
    check(components, &registry().0)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn caller(app: &str) -> Arc<Caller> {
    Arc::new(Caller {
        namespace: Namespace::default(),
        app: app.parse().unwrap(),
        trace: Trace::generate(),
        deadline: std::time::Instant::now() + Duration::from_secs(60),
    })
}
