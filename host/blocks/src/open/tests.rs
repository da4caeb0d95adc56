//! Opening with drivers that only record how they were opened.

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
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EngineMetadata {
    host: String,
    #[serde(default)]
    #[expect(dead_code, reason = "read by the check only")]
    timeout: Option<DurationOrSeconds>,
    #[serde(default)]
    #[expect(dead_code, reason = "read by the check only")]
    retries: Option<u32>,
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
        drivers.push(Driver::new(
            kind,
            &["v1", "v2"],
            "records",
            move |context: OpenContext, metadata: EngineMetadata| {
                let log = log.clone();
                async move { open_engine(&log, context, metadata).await }
            },
        ));
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
    configurations: Vec<Configuration>,
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
            configurations: Vec::new(),
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
            configurations: self.configurations.clone(),
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

#[test]
fn a_type_or_version_that_nobody_serves_names_those_that_are() {
    let unknown = component("s", "state.engin", &[]);
    let version = Component {
        version: "v9".to_owned(),
        ..engine("s", "a")
    };
    assert_eq!(
        checked(&[unknown, version]),
        [
            "c.yaml:2:1: error: no driver serves the type `state.engin` (did you mean `state.engine`?)\n  \
             hint: this build serves pubsub.engine, pubsub.in-memory, secretstores.vault, state.engine, state.in-memory",
            "c.yaml:2:1: error: state.engine has no version `v9`, served: v1, v2",
        ]
    );
}

#[test]
fn every_entry_that_is_wrong_is_reported_at_its_place() {
    let wrong = component(
        "s",
        "state.engine",
        &[
            ("hots", plain("a")),
            ("timeout", plain("soon")),
            ("RETRIES", plain("-1")),
            ("retries", plain("2")),
            ("keyPrefix", plain("a||b")),
            ("outboxPublishTopic", plain("orders")),
            ("primaryEncryptionKey", secret("key", "key")),
        ],
    );
    assert_eq!(
        checked(&[wrong]),
        [
            "c.yaml:1:1: error: metadata `host` of state.engine: missing, but required",
            "c.yaml:10:1: error: unknown metadata `hots` for state.engine (did you mean `host`?)",
            "c.yaml:11:1: error: metadata `timeout` of state.engine: `soon` is not a duration: expected a form such as `30s` or `1m30s`",
            "c.yaml:13:1: error: metadata `retries` comes twice",
            "c.yaml:14:1: error: metadata `keyPrefix`: `a||b` contains `||`, which separates prefix and key",
            "c.yaml:15:1: warning: metadata `outboxPublishTopic` is not applied yet",
            "c.yaml:16:1: error: metadata `primaryEncryptionKey`: encryption of state is not there yet\n  \
             hint: without the entry the values are stored as plain text",
        ]
    );
}

#[test]
fn what_stands_in_a_secret_is_not_checked_and_names_have_no_case() {
    let fine = component(
        "s",
        "state.engine",
        &[("HOST", plain("a")), ("timeout", secret("t", "t"))],
    );
    let scoped = component(
        "p",
        "pubsub.in-memory",
        &[("consumerid", plain("x")), ("allowedTopics", plain("a"))],
    );
    assert_eq!(checked(&[fine, scoped]), [] as [&str; 0]);
    let scopes = component(
        "p",
        "pubsub.in-memory",
        &[("publishingScopes", plain("orders"))],
    );
    assert_eq!(
        checked(&[scopes]),
        [
            "c.yaml:10:1: error: metadata `publishingScopes`: `orders` is not a topic scope: expected `app1=topic1,topic2;app2=topic3`"
        ]
    );
}

#[tokio::test]
async fn secrets_are_read_from_stores_that_were_opened_in_order() {
    let outer = component(
        "outer",
        "secretstores.vault",
        &[("token", secret("db", "host"))],
    );
    let inner = component("inner", "secretstores.vault", &[("token", plain("1"))]);
    let mut state = component("s", "state.engine", &[("host", secret("db", "host"))]);
    state.secret_store = Some("outer".to_owned());
    let run = Run::new();
    let (backends, findings) = run.open(&[state, outer, inner], None).await;
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(
        run.opened(),
        [
            "default/inner 1",
            "default/outer host-1",
            "default/s[] host-host-1"
        ]
    );
    assert_eq!(backends.list().len(), 3);
}

#[tokio::test]
async fn a_secret_that_is_missing_says_what_was_tried() {
    let vault = component("vault", "secretstores.vault", &[]);
    let state = component(
        "s",
        "state.engine",
        &[
            ("host", secret("nothing", "a")),
            ("timeout", secret("db", "port")),
        ],
    );
    let mut elsewhere = state.clone();
    elsewhere.secret_store = Some("vualt".to_owned());
    let run = Run::new();
    let expected = [
        "c.yaml:10:1: error: metadata `host`: secret `nothing` of store `vault`: not found: the vault has no `nothing`",
        "c.yaml:11:1: error: metadata `timeout`: secret `db` of store `vault`: it has no field `port`, but host, user",
    ];
    assert_eq!(
        run.open(&[vault.clone(), state.clone()], None).await.1,
        expected
    );
    assert_eq!(
        run.open(&[vault.clone(), elsewhere], None).await.1,
        [
            "c.yaml:10:1: error: no secret store `vualt` in namespace `default` (did you mean `vault`?)"
        ]
    );
    assert_eq!(
        run.open(std::slice::from_ref(&state), None).await.1,
        [
            "c.yaml:10:1: error: metadata `host` refers to a secret, but namespace `default` has no secret store"
        ]
    );
    let second = component("second", "secretstores.vault", &[]);
    assert_eq!(
        run.open(&[vault.clone(), second, state.clone()], None)
            .await
            .1,
        [
            "c.yaml:10:1: error: metadata `host` refers to a secret, but namespace `default` has several stores\n  \
          hint: name one in `auth.secretStore`: vault, second"
        ]
    );
    run.opened();
    let plan = OpenPlan {
        data_dir: run.data.path().to_owned(),
        connections: Connections::default(),
        apps: Vec::new(),
        configurations: Vec::new(),
    };
    let findings = check_secrets(&[vault, state], &run.registry, &plan).await;
    assert_eq!(
        findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(run.opened(), ["default/vault "]);
}

#[tokio::test]
async fn stores_that_refer_to_each_other_are_an_error() {
    let refer = |name: &str, store: &str| Component {
        secret_store: Some(store.to_owned()),
        ..component(
            name,
            "secretstores.vault",
            &[("token", secret("db", "user"))],
        )
    };
    let (_, findings) = Run::new()
        .open(&[refer("a", "b"), refer("b", "a")], None)
        .await;
    assert_eq!(
        findings,
        ["c.yaml:1:1: error: secret stores that refer to each other: `a`, `b`"; 2]
    );
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_does_not_open_says_why() {
    let run = Run::new();
    let (_, findings) = run
        .open(
            &[engine("a", "down"), engine("b", "odd"), engine("c", "slow")],
            None,
        )
        .await;
    assert_eq!(
        findings,
        [
            "c.yaml:1:1: error: opening backend \"a\" (state.engine): connecting to down: connection refused",
            "c.yaml:1:1: error: opening backend \"c\" (state.engine): not done within 5s\n  \
             hint: `initTimeout` allows more time",
            "c.yaml:10:1: error: opening backend \"b\" (state.engine): metadata `host`: `odd` is no host",
        ]
    );
}

#[tokio::test]
async fn an_ignored_error_leaves_a_backend_that_answers_unavailable() {
    let ignored = Component {
        ignore_errors: true,
        ..engine("s", "down")
    };
    let (backends, findings) = Run::new().open(&[ignored], None).await;
    assert!(
        findings[0].starts_with("c.yaml:1:1: warning: opening backend \"s\""),
        "{findings:?}"
    );
    let blocks = Blocks::new();
    blocks.swap(backends);
    assert!(matches!(
        blocks.backends().await[0].health,
        Health::Failed(_)
    ));
    let answer = blocks
        .state(&caller("orders"), "s")
        .get("k", crate::state::GetOptions::default())
        .await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "state store \"s\" is not open: opening backend \"s\" (state.engine): connecting to down: connection refused"
    );
}

#[tokio::test]
async fn unchanged_backends_stay_open_over_a_reload() {
    let run = Run::new();
    let (first, _) = run
        .open(
            &[engine("a", "x"), engine("b", "x"), engine("gone", "x")],
            None,
        )
        .await;
    run.opened();
    let scoped = Component {
        scopes: vec!["orders".parse().unwrap()],
        ..engine("a", "x")
    };
    let (second, _) = run
        .open(
            &[scoped, engine("b", "y"), engine("new", "x")],
            Some(&first),
        )
        .await;
    assert_eq!(run.opened(), ["default/b[] y", "default/new[] x"]);
    let of = |backends: &Backends, name: &str| {
        let backend = backends.find(&Namespace::default(), name).unwrap();
        backend.opening.instance(None).unwrap().state.unwrap()
    };
    assert!(Arc::ptr_eq(&of(&first, "a"), &of(&second, "a")));
    assert!(!Arc::ptr_eq(&of(&first, "b"), &of(&second, "b")));
    assert!(
        !second
            .find(&Namespace::default(), "a")
            .unwrap()
            .visible_to(&"carts".parse().unwrap())
    );
}

#[tokio::test]
async fn templates_that_name_the_app_open_a_backend_for_each() {
    let run = Run::new();
    let mut each = engine("s", "h-{appID}");
    let (backends, findings) = run.open(std::slice::from_ref(&each), None).await;
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(
        run.opened(),
        [
            "default/s[\"carts\"] h-carts",
            "default/s[\"orders\"] h-orders"
        ]
    );
    each.scopes = vec!["orders".parse().unwrap()];
    run.open(std::slice::from_ref(&each), Some(&backends)).await;
    assert_eq!(run.opened(), [] as [&str; 0]);
    run.open(&[engine("s", "h-{uuid}-{other}")], None).await;
    let opened = run.opened();
    assert!(
        opened.len() == 1 && !opened[0].contains("{uuid}") && opened[0].ends_with("{other}"),
        "{opened:?}"
    );
}

#[tokio::test]
async fn namespaces_that_would_share_keys_are_refused() {
    let mut run = Run::new();
    run.apps.push(app("orders", "tenant"));
    let other = Component {
        namespace: "tenant".parse().unwrap(),
        ..engine("s", "shared")
    };
    let (_, findings) = run
        .open(&[engine("s", "shared"), other.clone()], None)
        .await;
    assert_eq!(
        findings,
        [
            "c.yaml:1:1: error: backend \"s\" of namespace `tenant` shares its server with \"s\" of namespace `default`, \
          and the keys of app `orders` would be the same\n  hint: set `keyPrefix: namespace` in both"
        ]
    );
    let mut prefixed = other.clone();
    prefixed.metadata.push(MetadataItem {
        name: "keyPrefix".into(),
        value: plain("namespace"),
        origin: at(20),
    });
    assert_eq!(
        run.open(&[engine("s", "shared"), prefixed], None).await.1,
        [] as [&str; 0]
    );
    run.apps.pop();
    assert_eq!(
        run.open(&[engine("s", "shared"), other], None).await.1,
        [] as [&str; 0]
    );
}

fn caller(app: &str) -> Arc<Caller> {
    Arc::new(Caller {
        namespace: Namespace::default(),
        app: app.parse().unwrap(),
        traceparent: "".into(),
        deadline: std::time::Instant::now() + Duration::from_secs(60),
    })
}

#[tokio::test]
async fn the_configuration_of_an_app_restricts_its_secrets() {
    let mut run = Run::new();
    run.apps[0].configuration = Some("strict".to_owned());
    let scope = SecretScope {
        store: "vault".to_owned(),
        default_access: DefaultAccess::Deny,
        allowed: vec!["other".to_owned()],
        denied: Vec::new(),
    };
    run.configurations.push(Configuration {
        name: "strict".to_owned(),
        namespace: Namespace::default(),
        secret_scopes: vec![scope],
        tracing: None,
        by_default: false,
        origin: Origin::defaults(),
    });
    let (backends, _) = run
        .open(&[component("vault", "secretstores.vault", &[])], None)
        .await;
    let blocks = Blocks::new();
    blocks.swap(backends);
    let orders = blocks.secrets(&caller("orders"), "vault");
    assert_eq!(
        orders.get("db", Vec::new()).await.unwrap_err(),
        SecretError::Denied(
            "app \"orders\" may not read secret \"db\" of store \"vault\": not in its allowedSecrets".to_owned()
        )
    );
    assert_eq!(
        orders
            .bulk(Vec::new())
            .await
            .unwrap()
            .into_keys()
            .collect::<Vec<_>>(),
        ["other"]
    );
    assert!(
        blocks
            .secrets(&caller("carts"), "vault")
            .get("db", Vec::new())
            .await
            .is_ok()
    );
}

#[test]
fn defaults_fill_only_what_is_missing() {
    let kinds = |components: &[Component]| -> Vec<String> {
        let added = embedded_defaults(&Namespace::default(), components);
        added
            .iter()
            .map(|component| format!("{} {}", component.name, component.kind.0))
            .collect()
    };
    assert_eq!(
        kinds(&[]),
        [
            "statestore state.sqlite",
            "pubsub pubsub.sqlite",
            "secretstore secretstores.local.env"
        ]
    );
    assert_eq!(
        kinds(&[engine("mine", "a")]),
        ["pubsub pubsub.sqlite", "secretstore secretstores.local.env"]
    );
    let elsewhere = Component {
        namespace: "other".parse().unwrap(),
        ..engine("mine", "a")
    };
    assert_eq!(kinds(&[elsewhere]).len(), 3);
    let added = embedded_defaults(&Namespace::default(), &[]);
    assert_eq!(
        added
            .iter()
            .map(|own| Block::of(&own.kind).unwrap())
            .collect::<Vec<_>>(),
        [Block::State, Block::PubSub, Block::Secrets]
    );
}
