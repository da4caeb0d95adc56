//! Backends that open, fail, stay open, and meet.

use super::*;

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
async fn an_open_breaker_outlives_a_reload_that_does_not_change_its_policy() {
    let policies = |trip: u32, retries: u32| {
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {{ name: policies }}\nspec:\n  policies:\n    \
             retries: {{ DefaultStatestoreComponentOutboundRetryPolicy: {{ maxRetries: {retries} }} }}\n    \
             circuitBreakers: {{ DefaultCircuitBreakerPolicy: {{ trip: totalFailures >= {trip} }} }}\n"
        );
        let name = "resiliency.yaml".into();
        let source = berth_resources::Source::Text { name, text };
        berth_resources::load(&[source], &Default::default())
            .resources
            .resiliencies
    };
    let blocks = Blocks::new();
    // What it opens serves no topics: every call is a failure.
    let broken = component(
        "p",
        "pubsub.engine",
        &[("host", MetadataValue::Plain("x".to_owned()))],
    );
    let publish = async || {
        let publisher = blocks.publisher(&caller("orders"), "p");
        let (message, options) = Default::default();
        let answer = publisher.publish("t", message, options).await;
        answer.unwrap_err().to_string()
    };
    let mut run = Run::new();
    let mut reload = async |resiliencies| {
        run.resiliencies = resiliencies;
        let before = blocks.snapshot();
        let (backends, findings) = run.open(std::slice::from_ref(&broken), Some(&before)).await;
        assert_eq!(findings, [""; 0]);
        blocks.swap(backends);
    };
    reload(policies(1, 1)).await;
    assert_eq!(publish().await, "\"p\" serves no topics");
    let open = "pub/sub backend \"p\": its circuit breaker is open for another";
    assert!(publish().await.starts_with(open));
    reload(policies(1, 2)).await;
    assert!(publish().await.starts_with(open));
    reload(policies(2, 2)).await;
    assert_eq!(publish().await, "\"p\" serves no topics");
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
async fn an_app_without_a_guest_has_its_backends_as_every_other() {
    let mut run = Run::new();
    run.native = vec![(Namespace::default(), "till".parse().unwrap())];
    run.apps.clear();
    let (backends, _) = run.open(&[engine("s", "h-{appID}")], None).await;
    let opened = run.opened();
    assert!(
        opened.len() == 1 && opened[0].contains("h-till"),
        "{opened:?}"
    );
    let blocks = Blocks::new();
    blocks.swap(backends);
    assert_eq!(blocks.state(&caller("till"), "s").check(), Ok(()));
    assert!(blocks.state(&caller("orders"), "s").check().is_err());
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
