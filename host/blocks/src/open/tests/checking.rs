//! What is found without opening anything.

use super::*;

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
            "c.yaml:11:1: error: metadata `timeout` of state.engine: expected a duration such as `500ms`, `5s` or `1h30m`, found `soon`",
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

#[test]
fn an_alias_is_as_good_as_the_name_and_what_only_dapr_needs_is_a_warning() {
    let fine = component("s", "state.engine", &[("SERVER", plain("a"))]);
    let twice = component(
        "t",
        "state.engine",
        &[
            ("server", plain("a")),
            ("host", plain("b")),
            ("poolsize", plain("5")),
        ],
    );
    assert_eq!(checked(&[fine]), [""; 0]);
    assert_eq!(
        checked(&[twice]),
        [
            "c.yaml:11:1: error: metadata `host` of state.engine: given twice, under two of its names",
            "c.yaml:12:1: warning: metadata `poolsize` has no effect: one connection is enough",
        ]
    );
}
