//! The rules of the pipeline, seen through the handles.

mod invocations;
mod policies;

use crate::{
    Backend, Backends, Block, Blocks, BulkMessage, Caller, DeleteItem, KeyPrefix, Message,
    PublishOptions, SetItem, StateOperation, TopicRules, TopicScopes,
    invocation::{Body, Invoke, InvokeError, Target},
    limits,
    pubsub::PubSubError,
    registry::{Connections, Metadata, OpenContext, Opened},
    state::{Concurrency, GetOptions, StateError},
    topic_list,
};
use async_trait::async_trait;
use berth_resources::Namespace;
use berth_telemetry::trace::Trace;
use http_body_util::{BodyExt, Empty};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn caller_in(namespace: &str, app: &str, ahead: Duration) -> Arc<Caller> {
    Arc::new(Caller {
        namespace: namespace.parse().unwrap(),
        app: app.parse().unwrap(),
        trace: Trace::generate(),
        deadline: Instant::now() + ahead,
    })
}

fn caller(app: &str) -> Arc<Caller> {
    caller_in("default", app, Duration::from_secs(60))
}

async fn in_memory(kind: &str) -> Opened {
    let context = OpenContext {
        name: kind.to_owned(),
        namespace: Namespace::default(),
        data_dir: std::path::PathBuf::new(),
        apps: Vec::new(),
        connections: Connections::default(),
    };
    let driver = crate::in_memory()
        .into_iter()
        .find(|driver| driver.kind == kind)
        .unwrap();
    (driver.open)(context, Metadata::new()).await.unwrap()
}

async fn backend(name: &str, kind: &str) -> Backend {
    Backend::open_to_all(name, Namespace::default(), kind, in_memory(kind).await)
}

fn blocks(backends: impl IntoIterator<Item = Backend>) -> Blocks {
    let mut all = Backends::default();
    backends.into_iter().for_each(|backend| all.insert(backend));
    let blocks = Blocks::new();
    blocks.swap(all);
    blocks
}

fn item(key: &str, value: &str) -> SetItem {
    SetItem {
        key: key.to_owned(),
        value: value.to_owned().into(),
        ..SetItem::default()
    }
}

#[tokio::test]
async fn apps_that_share_a_store_do_not_see_each_others_keys() {
    let blocks = blocks([backend("s", "state.in-memory").await]);
    let (orders, carts) = (
        blocks.state(&caller("orders"), "s"),
        blocks.state(&caller("carts"), "s"),
    );
    orders.set(item("k", "orders")).await.unwrap();
    carts.set(item("k", "carts")).await.unwrap();
    let value = async |state: &crate::State| {
        state
            .get("k", GetOptions::default())
            .await
            .unwrap()
            .unwrap()
            .value
    };
    assert_eq!(
        (value(&orders).await, value(&carts).await),
        ("orders".into(), "carts".into())
    );
    assert_eq!(orders.list_keys("", 0, None).await.unwrap().keys, ["k"]);
    let answer = orders.get("carts||k", GetOptions::default()).await;
    assert_eq!(answer, Err(StateError::IllegalKey("carts||k".to_owned())));
}

#[tokio::test]
async fn a_store_named_by_none_shows_only_keys_without_a_prefix() {
    let opened = in_memory("state.in-memory").await;
    let prefixed = Backend::open_to_all(
        "own",
        Namespace::default(),
        "state.in-memory",
        opened.clone(),
    );
    let mut bare = Backend::open_to_all("bare", Namespace::default(), "state.in-memory", opened);
    bare.key_prefix = KeyPrefix::None;
    let blocks = blocks([prefixed, bare]);
    blocks
        .state(&caller("orders"), "own")
        .set(item("hidden", "v"))
        .await
        .unwrap();
    let bare = blocks.state(&caller("orders"), "bare");
    bare.set(item("shown", "v")).await.unwrap();
    assert_eq!(bare.list_keys("", 0, None).await.unwrap().keys, ["shown"]);
}

#[tokio::test]
async fn what_is_not_visible_is_not_found() {
    let mut scoped = backend("s", "state.in-memory").await;
    scoped.scopes = vec!["orders".parse().unwrap()];
    let blocks = blocks([scoped, backend("p", "pubsub.in-memory").await]);
    assert_eq!(blocks.state(&caller("orders"), "s").check(), Ok(()));
    let error = |state: crate::State| state.check().unwrap_err().to_string();
    assert_eq!(
        error(blocks.state(&caller("carts"), "s")),
        "app \"carts\" sees no state store \"s\" in namespace \"default\" (visible: none)"
    );
    assert_eq!(
        error(blocks.state(&caller("orders"), "p")),
        "app \"orders\" sees no state store \"p\" in namespace \"default\" (visible: s)"
    );
    let elsewhere = caller_in("tenant", "orders", Duration::from_secs(60));
    assert!(matches!(
        blocks.state(&elsewhere, "s").check(),
        Err(StateError::NotConfigured(_))
    ));
    let visible = blocks.visible(&Namespace::default(), &"carts".parse().unwrap());
    assert_eq!(
        visible
            .iter()
            .map(|own| (own.name.as_str(), own.block))
            .collect::<Vec<_>>(),
        [("p", Block::PubSub)]
    );
}

#[tokio::test]
async fn a_description_has_what_an_app_may_use_in_daprs_words() {
    let mut scoped = backend("s", "state.in-memory").await;
    scoped.scopes = vec!["orders".parse().unwrap()];
    let blocks = blocks([scoped, backend("p", "pubsub.in-memory").await]);
    let described = |app: &str| {
        let found = blocks.described(&Namespace::default(), &app.parse().unwrap());
        let line = |own: &crate::BackendDescription| {
            format!("{} {} {}", own.name, own.kind.0, own.capabilities.join(" "))
        };
        found.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(described("carts"), ["p pubsub.in-memory MESSAGE_TTL"]);
    assert_eq!(
        described("orders"),
        [
            "p pubsub.in-memory MESSAGE_TTL",
            "s state.in-memory ETAG TRANSACTIONAL TTL KEYS_LIKE"
        ]
    );
}

#[tokio::test]
async fn a_transaction_over_the_limit_says_both_sizes() {
    let blocks = blocks([backend("s", "state.in-memory").await]);
    let state = blocks.state(&caller("orders"), "s");
    let one = || StateOperation::Set(item("k", "v"));
    let many = std::iter::repeat_with(one)
        .take(limits::BATCH_ITEMS_MAX + 1)
        .collect();
    assert_eq!(
        state.transact(many, Vec::new()).await,
        Err(StateError::TooManyOperations {
            count: 10_001,
            max: 10_000
        })
    );
}

#[tokio::test]
async fn a_handle_meets_the_backend_of_the_moment() {
    let blocks = blocks([backend("s", "state.in-memory").await]);
    let state = blocks.state(&caller("orders"), "s");
    state.set(item("k", "before")).await.unwrap();
    let mut after = Backends::default();
    after.insert(backend("s", "state.in-memory").await);
    blocks.swap(after);
    assert_eq!(state.get("k", GetOptions::default()).await, Ok(None));
    blocks.swap(Backends::default());
    assert!(matches!(
        state.get("k", GetOptions::default()).await,
        Err(StateError::NotConfigured(_))
    ));
}

#[tokio::test]
async fn options_mean_what_dapr_says() {
    let blocks = blocks([backend("s", "state.in-memory").await]);
    let state = blocks.state(&caller("orders"), "s");
    let first = SetItem {
        concurrency: Some(Concurrency::FirstWrite),
        ..item("k", "1")
    };
    assert_eq!(state.set(first.clone()).await, Ok(()));
    assert!(matches!(
        state.set(first).await,
        Err(StateError::Conflict(_))
    ));
    let stale = |concurrency| SetItem {
        etag: Some("stale".to_owned()),
        concurrency,
        ..item("k", "2")
    };
    assert!(matches!(
        state.set(stale(None)).await,
        Err(StateError::Conflict(_))
    ));
    assert_eq!(state.set(stale(Some(Concurrency::LastWrite))).await, Ok(()));
    let empty = SetItem {
        etag: Some(String::new()),
        ..item("k", "3")
    };
    assert_eq!(state.set(empty).await, Ok(()));
}

#[tokio::test]
async fn a_ttl_is_an_option_or_metadata() {
    let blocks = blocks([backend("s", "state.in-memory").await]);
    let state = blocks.state(&caller("orders"), "s");
    let with = |text: &str| SetItem {
        metadata: vec![("TTLInSeconds".to_owned(), text.to_owned())],
        ..item("k", "v")
    };
    let expires = async || {
        state
            .get("k", GetOptions::default())
            .await
            .unwrap()
            .unwrap()
            .expires_at
            .is_some()
    };
    state.set(with("60")).await.unwrap();
    assert!(expires().await);
    for none in ["-1", "0"] {
        state.set(with("60")).await.unwrap();
        state.set(with(none)).await.unwrap();
        assert!(!expires().await, "{none}");
    }
    state
        .set(SetItem {
            ttl: Some(Duration::from_secs(60)),
            ..item("k", "v")
        })
        .await
        .unwrap();
    assert!(expires().await);
    for wrong in ["soon", "-2", "1.5", "99999999999999"] {
        assert!(
            matches!(state.set(with(wrong)).await, Err(StateError::Invalid(_))),
            "{wrong}"
        );
    }
    let answer = state
        .transact(
            vec![StateOperation::Set(item("k", "v"))],
            with("60").metadata,
        )
        .await;
    assert_eq!(answer, Ok(()));
    assert!(expires().await);
}

#[tokio::test]
async fn bulk_calls_report_each_item_under_its_own_key() {
    let blocks = blocks([backend("s", "state.in-memory").await]);
    let state = blocks.state(&caller("orders"), "s");
    let failed = state
        .bulk_set(vec![
            item("a", "1"),
            item("", "x"),
            item("b||c", "x"),
            item("d", "4"),
        ])
        .await
        .unwrap();
    assert_eq!(
        failed
            .iter()
            .map(|(key, _)| key.as_str())
            .collect::<Vec<_>>(),
        ["", "b||c"]
    );
    let keys = ["d", "b||c", "missing", "a"].map(str::to_owned).to_vec();
    let read = state
        .bulk_get(keys.clone(), GetOptions::default())
        .await
        .unwrap();
    assert_eq!(
        read.iter().map(|(key, _)| key).collect::<Vec<_>>(),
        keys.iter().collect::<Vec<_>>()
    );
    let shapes: Vec<_> = read
        .iter()
        .map(|(_, entry)| entry.as_ref().map(Option::is_some).ok())
        .collect();
    assert_eq!(shapes, [Some(true), None, Some(false), Some(true)]);
    let stale = DeleteItem {
        key: "a".to_owned(),
        etag: Some("stale".to_owned()),
        ..DeleteItem::default()
    };
    let failed = state.bulk_delete(vec![stale]).await.unwrap();
    assert!(
        matches!(&failed[..], [(key, StateError::Conflict(_))] if key == "a"),
        "{failed:?}"
    );
    assert_eq!(state.bulk_set(Vec::new()).await, Ok(Vec::new()));
}

#[tokio::test]
async fn limits_name_both_sizes() {
    let blocks = blocks([
        backend("s", "state.in-memory").await,
        backend("p", "pubsub.in-memory").await,
    ]);
    let state = blocks.state(&caller("orders"), "s");
    let large = SetItem {
        value: vec![0; limits::STATE_VALUE_BYTES_MAX + 1].into(),
        ..item("k", "")
    };
    assert_eq!(
        state.set(large).await.unwrap_err().to_string(),
        "the value of \"k\" has 67108865 bytes, the limit is 67108864"
    );
    let many = vec![item("k", "v"); limits::BATCH_ITEMS_MAX + 1];
    assert_eq!(
        state.bulk_set(many).await.unwrap_err().to_string(),
        "10001 items in one call, the limit is 10000"
    );
    assert!(matches!(
        state.list_keys("", 1001, None).await,
        Err(StateError::Invalid(_))
    ));
    let message = Message {
        data: vec![0; limits::MESSAGE_BYTES_MAX + 1].into(),
        content_type: None,
    };
    let answer = blocks
        .publisher(&caller("orders"), "p")
        .publish("t", message, PublishOptions::default())
        .await;
    assert!(
        matches!(answer, Err(PubSubError::TooLarge(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn topic_scopes_hold_for_single_and_bulk_publishing() {
    let mut scoped = backend("p", "pubsub.in-memory").await;
    let publishing = TopicScopes::parse("orders=t").unwrap();
    scoped.topics = TopicRules::new(
        publishing,
        TopicScopes::default(),
        topic_list(""),
        topic_list(""),
    );
    let blocks = blocks([scoped]);
    let publisher = blocks.publisher(&caller("orders"), "p");
    let publish = async |topic: &str| {
        publisher
            .publish(topic, Message::default(), PublishOptions::default())
            .await
    };
    assert_eq!(publish("t").await, Ok(()));
    assert!(matches!(publish("u").await, Err(PubSubError::Denied(_))));
    assert!(matches!(publish("").await, Err(PubSubError::Invalid(_))));
    let bulk = publisher
        .bulk_publish("u", vec![BulkMessage::default()], PublishOptions::default())
        .await;
    assert!(matches!(bulk, Err(PubSubError::Denied(_))), "{bulk:?}");
}

#[tokio::test]
async fn bulk_publishing_reports_each_entry() {
    let blocks = blocks([backend("p", "pubsub.in-memory").await]);
    let publisher = blocks.publisher(&caller("orders"), "p");
    let entry = |id: &str, metadata: &[(&str, &str)]| BulkMessage {
        entry_id: id.to_owned(),
        message: Message::default(),
        metadata: metadata
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let bulk = async |entries| {
        publisher
            .bulk_publish("t", entries, PublishOptions::default())
            .await
    };
    let failed = bulk(vec![
        entry("a", &[]),
        entry("b", &[("rawPayload", "perhaps")]),
        entry("c", &[("ttlInSeconds", "0")]),
    ])
    .await;
    assert_eq!(
        failed
            .unwrap()
            .iter()
            .map(|(id, _)| id.as_str())
            .collect::<Vec<_>>(),
        ["b", "c"]
    );
    let answer = bulk(vec![entry("a", &[]), entry("a", &[])]).await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "entry ID \"a\" comes twice"
    );
    assert!(matches!(
        bulk(vec![entry("", &[])]).await,
        Err(PubSubError::InvalidEntry(_))
    ));
    assert_eq!(
        blocks
            .topics(&Namespace::default(), "p")
            .browse("t", None, 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

/// Answers after a while, or never.
struct Slow(Duration);

#[async_trait]
impl Invoke for Slow {
    async fn invoke(
        &self,
        _: &Caller,
        target: &Target,
        _: http::Request<Body>,
    ) -> Result<http::Response<Body>, InvokeError> {
        tokio::time::sleep(self.0).await;
        Err(InvokeError::NotFound(format!("asked for {}", target.app)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_the_deadline_of_its_caller() {
    let blocks = Blocks::new();
    let request = || http::Request::new(Body::new(Empty::new().map_err(|never| match never {})));
    let invoke = async |caller: &Arc<Caller>, app: &str| {
        blocks
            .invoker(caller)
            .invoke(app, request())
            .await
            .map(drop)
    };
    let short = caller_in("default", "orders", Duration::from_secs(1));
    assert!(matches!(
        invoke(&short, "b").await,
        Err(InvokeError::Undelivered(_))
    ));
    blocks.set_invoke(Arc::new(Slow(Duration::from_secs(2))));
    assert!(matches!(
        invoke(&short, "b").await,
        Err(InvokeError::Timeout(_))
    ));
    let long = caller_in("default", "orders", Duration::from_secs(100));
    assert_eq!(
        invoke(&long, "b.default").await,
        Err(InvokeError::NotFound("asked for b".to_owned()))
    );
    assert!(matches!(
        invoke(&long, "b.tenant").await,
        Err(InvokeError::Denied(_))
    ));
    assert!(matches!(
        invoke(&long, "not an app").await,
        Err(InvokeError::Invalid(_))
    ));
}

fn empty_body() -> Body {
    Body::new(Empty::new().map_err(|never| match never {}))
}

/// A door as bindings make it: one boxed future over borrows of many lifetimes.
#[async_trait]
trait Door {
    async fn every_call(&mut self, key: &str, keys: Vec<String>) -> Result<(), StateError>;
}

#[async_trait]
impl Door for Blocks {
    async fn every_call(&mut self, key: &str, keys: Vec<String>) -> Result<(), StateError> {
        let caller = caller("orders");
        let state = self.state(&caller, key);
        state.get(key, GetOptions::default()).await?;
        state.bulk_get(keys, GetOptions::default()).await?;
        state.bulk_set(vec![item(key, key)]).await?;
        state.bulk_delete(Vec::new()).await?;
        state.list_keys(key, 1, Some(key)).await?;
        let publisher = self.publisher(&caller, key);
        let _ = publisher
            .bulk_publish(key, Vec::new(), PublishOptions::default())
            .await;
        let _ = self.secrets(&caller, key).get(key, Vec::new()).await;
        let request = http::Request::new(empty_body());
        let _ = self.invoker(&caller).invoke(key, request).await;
        Ok(())
    }
}

#[tokio::test]
async fn a_door_can_make_every_call_on_a_task_of_its_own() {
    let mut blocks = blocks([backend("s", "state.in-memory").await]);
    let called = tokio::spawn(async move { blocks.every_call("s", vec!["k".to_owned()]).await });
    assert_eq!(called.await.unwrap(), Ok(()));
}

#[test]
fn calls_can_be_awaited_on_any_thread() {
    fn is_send(_: impl Send) {}
    let blocks = Blocks::new();
    let caller = caller("orders");
    let state = blocks.state(&caller, "s");
    is_send(state.get("k", GetOptions::default()));
    is_send(state.transact(Vec::new(), Vec::new()));
    is_send(state.bulk_set(Vec::new()));
    let publisher = blocks.publisher(&caller, "p");
    is_send(publisher.bulk_publish("t", Vec::new(), PublishOptions::default()));
    let secrets = blocks.secrets(&caller, "s");
    is_send(secrets.bulk(Vec::new()));
    let invoker = blocks.invoker(&caller);
    is_send(invoker.invoke("a", http::Request::new(empty_body())));
    is_send(blocks.backends());
}
