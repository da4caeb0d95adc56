//! Which backend keeps workflows.

use super::*;
use crate::workflow::WorkflowStore;

fn chosen(name: &str, host: &str) -> Component {
    let entries = [("host", plain(host)), ("actorStateStore", plain("true"))];
    component(name, "state.engine", &entries)
}

/// As the host asks for it.
async fn asked(backends: &Backends) -> Result<crate::WorkflowBackend, String> {
    let found = backends.workflow_backend(&Namespace::default()).await;
    found.map_err(|failure| failure.to_string())
}

#[tokio::test]
async fn the_state_store_that_a_document_chooses_keeps_workflows() {
    let run = Run::new();
    let (backends, findings) = run
        .open(&[engine("a", "one"), chosen("b", "two")], None)
        .await;
    assert_eq!(findings, [""; 0]);
    let found = asked(&backends).await.unwrap();
    assert_eq!((&*found.name, found.kind.0.as_str()), ("b", "state.engine"));
    // The same store over a reload.
    let (after, _) = run
        .open(&[engine("a", "other"), chosen("b", "two")], Some(&backends))
        .await;
    let kept: Arc<dyn WorkflowStore> = asked(&after).await.unwrap().store;
    assert!(Arc::ptr_eq(&found.store, &kept));
}

#[tokio::test]
async fn scopes_say_whose_workflows_lie_there() {
    let run = Run::new();
    let scoped = Component {
        scopes: vec!["orders".parse().unwrap()],
        ..chosen("a", "one")
    };
    let (backends, _) = run.open(&[scoped], None).await;
    let found = asked(&backends).await.unwrap();
    assert!(found.visible_to(&"orders".parse().unwrap()));
    assert!(!found.visible_to(&"carts".parse().unwrap()));
}

#[tokio::test]
async fn two_in_one_namespace_are_an_error_that_names_both() {
    let second = [chosen("a", "one"), chosen("b", "two")];
    let finding = "c.yaml:11:1: error: metadata `actorStateStore`: backends \"a\" (c.yaml:11:1) and \"b\" both keep the \
                   workflows of namespace `default`\n  hint: all workflows of a namespace have one store";
    assert_eq!(checked(&second), [finding]);
    assert_eq!(Run::new().open(&second, None).await.1, [finding]);
    let elsewhere = Component {
        namespace: "other".parse().unwrap(),
        ..chosen("b", "two")
    };
    assert_eq!(checked(&[chosen("a", "one"), elsewhere]), [""; 0]);
}

#[tokio::test]
async fn what_cannot_keep_workflows_says_so() {
    let wrong = component(
        "a",
        "state.engine",
        &[
            ("host", plain("one")),
            ("actorStateStore", plain("perhaps")),
        ],
    );
    assert_eq!(
        checked(&[wrong]),
        [
            "c.yaml:11:1: error: metadata `actorStateStore`: `perhaps` is not a boolean: expected `true` or `false`"
        ]
    );
    let per_app = chosen("a", "host-{appID}");
    assert_eq!(
        Run::new().open(&[per_app], None).await.1,
        [
            "c.yaml:11:1: error: metadata `actorStateStore`: the apps of a namespace share their workflows, but other \
             metadata names the app"
        ]
    );
}

/// A store that is down is not replaced by another: workflows that lie there would begin anew.
#[tokio::test]
async fn a_chosen_store_that_is_down_has_no_stand_in() {
    let run = Run::new();
    let down = Component {
        ignore_errors: true,
        ..chosen("a", "down")
    };
    let (backends, _) = run.open(&[down], None).await;
    let why = asked(&backends).await.unwrap_err();
    assert!(
        why.contains("connecting to down: connection refused"),
        "{why}"
    );
}

#[tokio::test]
async fn without_the_embedded_driver_the_remedy_is_named() {
    let run = Run::new();
    let (backends, _) = run.open(&[engine("a", "one")], None).await;
    assert_eq!(
        asked(&backends).await.unwrap_err(),
        "opening the embedded store of workflows: this build has no state.sqlite: give a state store \
         `actorStateStore: \"true\"`"
    );
}
