use super::*;
use crate::scratch::Scratch;
use berth_blocks::invocation::Target;
use berth_resources::{LoadOptions, Source, load};

fn document(resolution: &str) -> NameResolution {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: c, namespace: shop }}\nspec:\n  \
         nameResolution:\n{resolution}"
    );
    let source = Source::Text {
        name: "config.yaml".into(),
        text,
    };
    let loaded = load(&[source], &LoadOptions::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    loaded.resources.configurations[0]
        .name_resolution
        .clone()
        .unwrap()
}

fn told(resolution: &str) -> Vec<String> {
    let findings = check_resolver(&document(resolution));
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn settings_are_checked_at_their_place() {
    assert_eq!(
        told("    component: redis\n    configuration:\n      redisHots: redis:6379\n"),
        [
            "config.yaml:8:7: error: unknown setting `redisHots` of name resolution `redis` (did you mean `redisHost`?)"
        ]
    );
    assert_eq!(
        told("    component: redis\n    configuration:\n      redisDB: 1\n"),
        [
            "config.yaml:5:3: error: name resolution `redis`: setting `redisHost`: missing, but required"
        ]
    );
    assert_eq!(
        told("    component: sqlite\n    configuration:\n      updateInterval: soon\n"),
        [
            "config.yaml:8:7: error: name resolution `sqlite`: setting `updateInterval`: expected a duration such as \
             `500ms`, `5s` or `1h30m`, found `soon`"
        ]
    );
    assert_eq!(
        told("    component: dns\n    configuration:\n      records: mx\n"),
        [
            "config.yaml:8:7: error: name resolution `dns`: setting `records`: `mx` is not one of: address, srv"
        ]
    );
}

#[test]
fn what_dapr_writes_is_right() {
    assert_eq!(
        told(
            "    component: sqlite\n    version: v1\n    configuration:\n      connectionString: nr.db\n      \
             updateInterval: 5s\n      timeout: 2s\n      cleanupInterval: 10m\n"
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        told(
            "    component: redis\n    configuration:\n      redisHost: redis:6379\n      redisPassword:\n        \
             secretKeyRef: { name: redis, key: password }\n"
        ),
        Vec::<String>::new()
    );
}

async fn opened(
    document: &NameResolution,
    scratch: &Scratch,
) -> Result<Arc<dyn Resolver>, Vec<Diagnostic>> {
    let context = ResolverContext {
        user_dir: scratch.path().to_owned(),
        connections: Connections::default(),
    };
    open_resolver(Some(document), &context, &|_, _| None).await
}

#[tokio::test]
async fn static_hosts_are_kept_apart_by_namespace() {
    let fixed = document(
        "    component: static\n    configuration:\n      apps:\n        inventory: [\"10.0.0.1:1\", \"[::1]:2\"]\n        \
         inventory.other: [\"10.0.0.2:1\"]\n",
    );
    let resolver = opened(&fixed, &Scratch::new()).await.unwrap();
    let hosts = async |namespace: &str, app: &str| {
        let target = Target {
            namespace: namespace.parse().unwrap(),
            app: app.parse().unwrap(),
        };
        let hosts = resolver.resolve(&target).await.unwrap();
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(hosts("shop", "inventory").await, ["10.0.0.1:1", "[::1]:2"]);
    assert_eq!(hosts("other", "inventory").await, ["10.0.0.2:1"]);
    assert!(hosts("shop", "carts").await.is_empty());
    assert_eq!(resolver.heartbeat(), None);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_an_error_at_its_place() {
    let fleet = document(
        "    component: redis\n    configuration:\n      redisHost: redis:6379\n      redisPassword:\n        \
         secretKeyRef: { name: redis, key: password }\n",
    );
    let findings = opened(&fleet, &Scratch::new()).await.map(drop).unwrap_err();
    assert_eq!(
        findings[0].to_string(),
        "config.yaml:9:7: error: no secret `redis` with a field `password`"
    );
}
