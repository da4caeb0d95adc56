//! Documents that must load, and how sources are put together.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use berth_resources::{
    Access, Backoff, ByteSize, CircuitBreakerScope, Configuration, LoadOptions, Loaded,
    MetadataValue, Resources, RetryPolicy, Scheme, Source, TargetPolicies, load,
};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

fn load_all(sources: &[Source]) -> Loaded {
    let env = |name: &str| (name == "CLIENT_ID").then(|| "c1".to_owned());
    load(
        sources,
        &LoadOptions {
            env: &env,
            ..LoadOptions::default()
        },
    )
}

fn dir(path: impl AsRef<Path>) -> Source {
    Source::Dir(path.as_ref().to_owned())
}

fn resources_path(path: impl AsRef<Path>) -> Source {
    Source::ResourcesPath(path.as_ref().to_owned())
}

/// The findings as text, without the folder that they are in.
fn findings(loaded: &Loaded, folder: &Path) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    loaded
        .diagnostics
        .iter()
        .map(|finding| finding.to_string().replace(&folder, ""))
        .collect()
}

fn valid(file: &str) -> Resources {
    let loaded = load_all(&[dir(Path::new("tests/valid").join(file))]);
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|d| !d.message.contains("not applied yet"))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    loaded.resources
}

fn write(folder: &TempDir, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn component(name: &str, kind: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec: {{ type: {kind} }}\n"
    )
}

fn configuration(name: &str) -> String {
    format!("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: {name} }}\n")
}

#[test]
fn the_documents_of_dapr_load_unchanged() {
    let loaded = load_all(&[dir("tests/valid/dapr")]);
    assert_eq!(
        findings(&loaded, Path::new("tests/valid/dapr")),
        [
            "resiliency.yaml:19:5: warning: `spec.targets.services` is an old name, today's is `apps`",
            "resiliency.yaml:21:9: warning: an app has no `outbound`: its policies stand directly below its name",
        ]
    );
    let names: Vec<String> = loaded
        .resources
        .components
        .iter()
        .map(|component| {
            format!(
                "{}/{} {}",
                component.namespace, component.name, component.kind.0
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            "default/statestore state.redis",
            "default/pubsub pubsub.redis",
            "default/secretstore secretstores.local.file",
            "production/statestore state.azure.cosmosdb",
        ]
    );
    let subscription = &loaded.resources.subscriptions[0];
    assert_eq!(
        subscription.default_route.as_deref(),
        Some("/orders/notification")
    );
    assert_eq!(subscription.scopes[0].as_str(), "notification-service");
    assert_eq!(
        subscription.pubsub_origin.to_string(),
        "tests/valid/dapr/subscription.yaml:6:15"
    );
}

#[test]
fn an_app_is_read_with_every_field() {
    let resources = valid("shop.yaml");
    let app = &resources.apps[0];
    assert_eq!(app.id.as_str(), "order-service");
    assert_eq!(
        app.guest,
        std::env::current_dir().unwrap().join("tests/guest.wasm")
    );
    let http = app.http.as_ref().unwrap();
    assert_eq!(http.paths, ["/orders", "/carts"]);
    assert_eq!(http.host.as_deref(), Some("orders.example.com"));
    assert_eq!(app.limits.response_body, ByteSize::mib(1536));
    assert_eq!(app.limits.queue, 0);
    assert_eq!(app.instances.reuse, 1000);
    assert_eq!(app.allow.outbound[1].scheme, Some(Scheme::Http));
    assert_eq!(app.allow.outbound[1].port, Some(8080));
    assert_eq!(app.allow.files[1].guest, "/config");
    assert_eq!(app.allow.files[1].access, Access::Write);
    assert_eq!(app.allow.env["RATIO"], "1.0");
    assert_eq!(app.allow.env["EMPTY"], "");
    let scopes = &resources.configuration_of(app).unwrap().secret_scopes;
    assert_eq!(scopes[0].allowed, ["stripe-secret-key"]);
    let little = &resources.apps[1];
    assert_eq!(
        (little.http.as_ref(), little.configuration.as_ref()),
        (None, None)
    );
}

#[test]
fn the_values_of_a_component_keep_their_text() {
    let resources = valid("shop.yaml");
    let component = &resources.components[0];
    let value = |name: &str| {
        let item = component
            .metadata
            .iter()
            .find(|item| item.name == name)
            .unwrap();
        match &item.value {
            MetadataValue::Plain(text) => text.clone(),
            MetadataValue::SecretRef { name, key } => format!("{name}/{key}"),
            MetadataValue::Env(secret) => format!("{secret:?} {}", secret.reveal()),
        }
    };
    assert_eq!(value("concurrency"), "10");
    assert_eq!(value("ratio"), "1.0");
    assert_eq!(value("enableTLS"), "false");
    assert_eq!(value("redisUsername"), "");
    assert_eq!(value("redisPassword"), "redis/password");
    assert_eq!(value("sentinel"), "sentinel/sentinel");
    assert_eq!(value("clientID"), "*** c1");
    assert_eq!(value("consumerID"), "{appID}");
    assert_eq!(component.init_timeout, Duration::from_secs(60));
    assert_eq!(component.secret_store.as_deref(), Some("secretstore"));
    assert!(component.ignore_errors);
    assert_eq!(component.kind.block(), "pubsub");
}

#[test]
fn both_versions_of_a_subscription_are_read() {
    let resources = valid("subscriptions.yml");
    let [v1, v2] = &resources.subscriptions[..] else {
        panic!("two subscriptions")
    };
    assert_eq!(v1.default_route.as_deref(), Some("/orders"));
    assert_eq!(v1.bulk, None);
    assert_eq!(v1.metadata[1], ("priority".to_owned(), "5".to_owned()));
    assert_eq!(v2.rules[1].path, "/vip");
    let bulk = v2.bulk.unwrap();
    assert_eq!(
        (bulk.max_messages, bulk.max_await),
        (50, Duration::from_millis(200))
    );
}

#[test]
fn a_resiliency_document_is_read_with_every_policy_and_target() {
    let resources = valid("resiliency.yaml");
    let resiliency = &resources.resiliencies[0];
    let (orders, own) = &resiliency.apps[0];
    assert_eq!(orders.as_str(), "orders");
    assert_eq!(own.policies.timeout, Some(Duration::from_millis(500)));
    assert_eq!(own.circuit_breakers_max, Some(10));
    let built_in = own.policies.retry.as_ref().unwrap();
    assert_eq!(
        (built_in.max_retries, &built_in.backoff),
        (Some(3), &Backoff::Constant(Duration::from_secs(1)))
    );
    let breaker = own.policies.circuit_breaker.as_ref().unwrap();
    assert_eq!(breaker.trip.as_deref(), Some("consecutiveFailures >= 5"));
    assert_eq!(
        (breaker.max_requests, breaker.interval, breaker.timeout),
        (1, Duration::from_secs(8), Duration::from_secs(45))
    );
    let (pubsub, own) = &resiliency.components[0];
    assert_eq!(pubsub, "pubsub");
    let forever = own.inbound.retry.as_ref().unwrap();
    assert_eq!(
        (forever.max_retries, &forever.backoff),
        (None, &RetryPolicy::default().backoff)
    );
    let matching = forever.matching.as_ref().unwrap();
    assert!(matching.http_status(503) && !matching.http_status(404));
    assert!(matching.grpc_code(14) && !matching.grpc_code(2));
    assert_eq!(own.outbound.retry.as_ref().unwrap().max_retries, Some(1));
    let (quiet, own) = &resiliency.components[1];
    assert_eq!(
        (quiet.as_str(), &own.inbound),
        ("quiet", &TargetPolicies::default())
    );
    let (cart, own) = &resiliency.actors[0];
    assert_eq!(
        (cart.as_str(), own.circuit_breaker_scope),
        ("cart", Some(CircuitBreakerScope::Type))
    );
    let defaults = &resiliency.policies.retries;
    assert_eq!(defaults[0].0, "DefaultRetryPolicy");
    let (orders, stock) = ("orders".parse().unwrap(), "stock".parse().unwrap());
    assert!(resiliency.applies_to(&orders) && !resiliency.applies_to(&stock));
}

#[test]
fn services_and_directions_of_an_app_mean_apps() {
    let folder = TempDir::new().unwrap();
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: { name: old }\nspec:\n  policies:\n    \
                timeouts: { a: 1s, b: 2s }\n    retries: { r: {} }\n  targets:\n    apps:\n      \
                stock: { timeout: a }\n    services:\n      stock: { timeout: b }\n      \
                carts: { timeout: a, outbound: { timeout: b, retry: r } }\n";
    write(&folder, &[("old.yaml", text)]);
    let loaded = load_all(&[dir(folder.path())]);
    assert_eq!(
        findings(&loaded, folder.path()),
        [
            "old.yaml:11:5: warning: `spec.targets.services` is an old name, today's is `apps`",
            "old.yaml:13:28: warning: an app has no `outbound`: its policies stand directly below its name",
        ]
    );
    let apps: Vec<_> = loaded.resources.resiliencies[0]
        .apps
        .iter()
        .map(|(name, own)| {
            let policies = &own.policies;
            (
                name.as_str(),
                policies.timeout.unwrap().as_secs(),
                policies.retry.is_some(),
            )
        })
        .collect();
    assert_eq!(apps, [("carts", 1, true), ("stock", 1, false)]);
}

#[test]
fn other_yaml_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let large = format!("apiVersion: v1\n# dapr\ntext: {}\n", "x".repeat(2 << 20));
    write(
        &folder,
        &[
            (
                "chart.yaml",
                "apiVersion: apps/v1\nmetadata:\n  annotations: { dapr.io/enabled: \"true\" }\n  {{ broken }}\n",
            ),
            ("list.yaml", "- dapr\n- berth\n"),
            ("large.yaml", &large),
            ("empty.yaml", ""),
            ("notes.txt", "apiVersion: dapr.io/v1alpha1\n"),
            (".git/a.yaml", "apiVersion: dapr.io/v1alpha1\n"),
            ("target/a.yaml", "apiVersion: dapr.io/v1alpha1\n"),
            ("web/node_modules/a.yaml", "apiVersion: dapr.io/v1alpha1\n"),
            ("deep/er/store.YML", &component("store", "state.sqlite")),
        ],
    );
    fs::write(folder.path().join("latin.yaml"), b"name: caf\xe9 # dapr\n").unwrap();
    let loaded = load_all(&[dir(folder.path())]);
    assert_eq!(findings(&loaded, folder.path()), Vec::<String>::new());
    assert_eq!(loaded.resources.components.len(), 1);
}

#[test]
fn a_huge_document_of_ours_is_refused() {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "{}# {}\n",
        component("store", "state.sqlite"),
        "x".repeat(1 << 20)
    );
    write(&folder, &[("store.yaml", &text)]);
    let loaded = load_all(&[dir(folder.path())]);
    assert_eq!(
        findings(&loaded, folder.path()),
        ["store.yaml: error: larger than 1 MiB"]
    );
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_and_links_to_nothing_are_harmless() {
    use std::os::unix::fs::symlink;
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        &[("a/store.yaml", &component("store", "state.sqlite"))],
    );
    symlink(folder.path(), folder.path().join("a/up")).unwrap();
    symlink("loop", folder.path().join("loop")).unwrap();
    symlink("nowhere.yaml", folder.path().join("dangling.yaml")).unwrap();
    let loaded = load_all(&[dir(folder.path())]);
    assert_eq!(findings(&loaded, folder.path()), Vec::<String>::new());
    assert_eq!(loaded.resources.components.len(), 1);
}

#[test]
fn a_resources_path_replaces_backends_of_the_folder() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        &[
            ("app/store.yaml", &component("store", "state.sqlite")),
            ("app/pubsub.yaml", &component("pubsub", "pubsub.sqlite")),
            (
                "app/production/store.yaml",
                &component("store", "state.redis"),
            ),
            (
                "app/production/deeper/other.yaml",
                &component("other", "state.redis"),
            ),
        ],
    );
    let sources = [
        dir(folder.path().join("app")),
        resources_path(folder.path().join("app/production")),
    ];
    let loaded = load_all(&sources);
    assert_eq!(findings(&loaded, folder.path()), Vec::<String>::new());
    let kinds: Vec<&str> = loaded
        .resources
        .components
        .iter()
        .map(|component| component.kind.0.as_str())
        .collect();
    assert_eq!(kinds, ["state.redis", "state.redis", "pubsub.sqlite"]);
    assert_eq!(load_all(&sources[1..]).resources.components.len(), 1);
}

#[test]
fn one_name_twice_in_resources_paths_is_an_error() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        &[
            ("a/x.yaml", &component("store", "state.sqlite")),
            ("b/y.yaml", &component("store", "state.redis")),
        ],
    );
    let loaded = load_all(&[
        resources_path(folder.path().join("b")),
        resources_path(folder.path().join("a")),
    ]);
    assert_eq!(
        findings(&loaded, folder.path()),
        ["b/y.yaml:1:1: error: Component `store` is defined twice, also at a/x.yaml:1:1"]
    );
}

#[test]
fn a_config_file_is_the_configuration_of_apps_that_name_none() {
    let folder = TempDir::new().unwrap();
    let app = |name: &str, spec: &str| {
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: App\nmetadata: {{ name: {name} }}\nspec: {{ guest: g.wasm{spec} }}\n"
        )
    };
    write(
        &folder,
        &[
            ("g.wasm", ""),
            (
                "apps.yaml",
                &format!("{}---\n{}", app("a", ""), app("b", ", configuration: own")),
            ),
            ("own.yaml", &configuration("own")),
            ("shared.yaml", &configuration("shared")),
        ],
    );
    let config = Source::Config(folder.path().join("shared.yaml"));
    let loaded = load_all(&[dir(folder.path()), config]);
    assert_eq!(findings(&loaded, folder.path()), Vec::<String>::new());
    let name = |index: usize| {
        let configuration: &Configuration = loaded
            .resources
            .configuration_of(&loaded.resources.apps[index])
            .unwrap();
        configuration.name.clone()
    };
    assert_eq!((name(0), name(1)), ("shared".to_owned(), "own".to_owned()));
}

#[test]
fn a_config_file_holds_one_configuration() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        &[
            ("component.yaml", &component("store", "state.redis")),
            (
                "two.yaml",
                &format!("{}---\n{}", configuration("a"), configuration("b")),
            ),
            ("none.yaml", "kind: Configuration\n"),
        ],
    );
    let found = |file: &str| {
        let loaded = load_all(&[Source::Config(folder.path().join(file))]);
        findings(&loaded, folder.path()).join("\n")
    };
    assert_eq!(
        found("component.yaml"),
        "component.yaml:1:1: error: expected only a Configuration in this file, found kind `Component`"
    );
    assert_eq!(
        found("two.yaml"),
        "two.yaml:5:1: error: expected one Configuration in this file, found another"
    );
    assert_eq!(
        found("none.yaml"),
        "none.yaml: error: expected a Configuration (`dapr.io/v1alpha1`), found none"
    );
    assert_eq!(
        found("missing.yaml"),
        "missing.yaml: error: cannot read this file: no such file or folder"
    );
}

#[test]
fn a_missing_folder_is_an_error() {
    let loaded = load_all(&[dir("tests/no-such-folder")]);
    assert_eq!(
        loaded.diagnostics[0].to_string(),
        "tests/no-such-folder: error: no such file or folder"
    );
}

#[test]
fn scopes_may_name_an_app_of_the_command_line() {
    let text = format!("{}scopes: [guest]\n", component("store", "state.sqlite"));
    let source = Source::Text {
        name: "store.yaml".into(),
        text,
    };
    let known = |app: &str| {
        let options = LoadOptions {
            known_apps: vec![app.parse().unwrap()],
            ..LoadOptions::default()
        };
        load(std::slice::from_ref(&source), &options).diagnostics
    };
    assert_eq!(known("guest"), []);
    assert_eq!(
        known("quest")[0].to_string(),
        "store.yaml:5:10: warning: no app `guest` (did you mean `quest`?)"
    );
}

#[test]
fn a_finding_is_json_for_tools() {
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Compnent\n".to_owned();
    let loaded = load_all(&[Source::Text {
        name: "a.yaml".into(),
        text,
    }]);
    let json = serde_json::to_value(&loaded.diagnostics[0]).unwrap();
    assert_eq!(
        json["origin"],
        serde_json::json!({"file": "a.yaml", "line": 2, "column": 7})
    );
    assert_eq!(json["severity"], "error");
}
