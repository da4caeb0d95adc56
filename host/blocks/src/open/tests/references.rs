//! Secrets that documents refer to, and who may read them.

use super::*;

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
        native: Vec::new(),
        configurations: Vec::new(),
        resiliencies: Vec::new(),
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
        access_control: None,
        name_resolution: None,
        mtls: None,
        workflow: None,
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
