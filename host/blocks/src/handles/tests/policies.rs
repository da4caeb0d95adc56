//! Resiliency of calls to backends, on a clock that only the tests move.

use super::*;
use crate::{
    CloudEvent,
    pubsub::{
        Consumer, OutboundMessage, PubSub, PubSubCapabilities, StoredMessage, SubscribeRequest,
        TopicDepth,
    },
    state::{DeleteRequest, Entry, KeyPage, Operation, SetRequest, StateCapabilities, StateStore},
};
use berth_resiliency::{BreakerState, Resiliencies};
use berth_resources::{LoadOptions, Source};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// A document with these policies and targets, both as YAML in one line.
pub(super) fn resiliencies(policies: &str, targets: &str) -> Resiliencies {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {{ name: policies }}\nspec:\n  \
         policies: {policies}\n  targets: {targets}\n"
    );
    let name = "resiliency.yaml".into();
    let loaded = berth_resources::load(&[Source::Text { name, text }], &LoadOptions::default());
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    Resiliencies::new(loaded.resources.resiliencies, None, |_, _| true)
}

/// What calls to one backend meet: each attempt, and each item of a bulk call, takes the next answer.
#[derive(Clone, Default)]
struct Engine(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    seen: Vec<String>,
    events: Vec<CloudEvent>,
}

#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Fine,
    Unavailable,
    Conflict,
    Hangs,
}
use Answer::{Conflict, Fine, Hangs, Unavailable};

impl Engine {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let engine = Self::default();
        engine.0.lock().answers.extend(answers);
        engine
    }

    async fn answer(&self, what: &str) -> Answer {
        let next = {
            let mut script = self.0.lock();
            script.seen.push(what.to_owned());
            script.answers.pop_front().unwrap_or(Fine)
        };
        match next {
            Hangs => std::future::pending().await,
            answer => answer,
        }
    }

    async fn state(&self, what: &str) -> Result<(), StateError> {
        match self.answer(what).await {
            Unavailable => Err(StateError::Unavailable("no route to host".to_owned())),
            Conflict => Err(StateError::Conflict("stale etag".to_owned())),
            Fine | Hangs => Ok(()),
        }
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().seen)
    }
}

#[async_trait]
impl StateStore for Engine {
    fn capabilities(&self) -> StateCapabilities {
        StateCapabilities {
            etag: true,
            transactions: Some(10),
            ttl: true,
            list_keys: true,
            content_type: true,
        }
    }

    async fn get(&self, key: &str, _: &GetOptions) -> Result<Option<Entry>, StateError> {
        self.state(key).await.map(|()| None)
    }

    async fn set(&self, request: SetRequest) -> Result<(), StateError> {
        self.state(&request.key).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<(), StateError> {
        self.state(&request.key).await
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), StateError> {
        self.state(&format!("{} operations", operations.len()))
            .await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        _: u32,
        _: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        self.state(prefix).await?;
        Ok(KeyPage {
            keys: Vec::new(),
            next: None,
        })
    }

    async fn ping(&self) -> Result<(), StateError> {
        Ok(())
    }
}

#[async_trait]
impl PubSub for Engine {
    fn capabilities(&self) -> PubSubCapabilities {
        PubSubCapabilities {
            ttl: true,
            ordering: false,
            durable: false,
            log: false,
            history: false,
            browse: false,
            removal: false,
        }
    }

    async fn publish(&self, message: OutboundMessage) -> Result<(), PubSubError> {
        let event = CloudEvent::parse(&message.data).unwrap();
        self.0.lock().events.push(event);
        match self.answer(&message.topic).await {
            Unavailable => Err(PubSubError::Unavailable("no leader".to_owned())),
            _ => Ok(()),
        }
    }

    async fn subscribe(&self, _: SubscribeRequest) -> Result<Box<dyn Consumer>, PubSubError> {
        Err(PubSubError::Unsupported("not here".to_owned()))
    }

    async fn browse(
        &self,
        _: &str,
        _: Option<&str>,
        _: u32,
    ) -> Result<Vec<StoredMessage>, PubSubError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &str, _: &str) -> Result<bool, PubSubError> {
        Ok(false)
    }

    async fn depths(&self) -> Result<Vec<TopicDepth>, PubSubError> {
        Ok(Vec::new())
    }

    async fn ping(&self) -> Result<(), PubSubError> {
        Ok(())
    }
}

/// State store `s` and broker `p` over one engine.
fn over(engine: &Engine, policies: Resiliencies) -> Blocks {
    let blocks = Blocks::new();
    govern(&blocks, engine, policies);
    blocks
}

fn govern(blocks: &Blocks, engine: &Engine, policies: Resiliencies) {
    let mut all = Backends::default();
    let (state, pubsub) = (
        Opened::state(engine.clone()),
        Opened::pubsub(engine.clone()),
    );
    for (name, kind, opened) in [("s", "state.test", state), ("p", "pubsub.test", pubsub)] {
        all.insert(Backend::open_to_all(
            name,
            Namespace::default(),
            kind,
            opened,
        ));
    }
    all.govern(policies);
    blocks.swap(all);
}

/// Three retries, two seconds apart.
const RETRY: &str = "{ retries: { r: { duration: 2s, maxRetries: 3 } } }";
const BOTH: &str =
    "{ components: { s: { outbound: { retry: r } }, p: { outbound: { retry: r } } } }";

#[tokio::test(start_paused = true)]
async fn a_write_is_tried_again_while_the_store_is_away() {
    let engine = Engine::answering([Unavailable, Unavailable]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let state = blocks.state(&caller("orders"), "s");
    let began = tokio::time::Instant::now();
    assert_eq!(state.set(item("k", "v")).await, Ok(()));
    assert_eq!(engine.seen(), ["orders||k"; 3]);
    assert_eq!(began.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn what_is_exhausted_says_what_was_tried() {
    let engine = Engine::answering([Unavailable; 4]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let state = blocks.state(&caller("orders"), "s");
    assert_eq!(
        state.get("k", GetOptions::default()).await,
        Err(StateError::Unavailable(
            "state store \"s\": state.get failed after 4 attempts in 6s: attempts 1-4: no route to host"
                .to_owned()
        ))
    );
    assert_eq!(engine.seen().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn only_what_another_attempt_may_cure_is_tried_again() {
    let engine = Engine::answering([Unavailable, Conflict]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let state = blocks.state(&caller("orders"), "s");
    let conflict = Err(StateError::Conflict("stale etag".to_owned()));
    assert_eq!(state.set(item("k", "v")).await, conflict);
    assert_eq!(engine.seen().len(), 2);
    // Refused before the store is asked, and once.
    let invalid = state.get("a||b", GetOptions::default()).await;
    assert!(
        matches!(invalid, Err(StateError::IllegalKey(_))),
        "{invalid:?}"
    );
    assert_eq!(engine.seen(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_a_call_is_made_once() {
    let engine = Engine::answering([Unavailable]);
    let blocks = over(&engine, Resiliencies::default());
    let state = blocks.state(&caller("orders"), "s");
    assert_eq!(
        state.set(item("k", "v")).await,
        Err(StateError::Unavailable("no route to host".to_owned()))
    );
    assert_eq!(engine.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_an_attempt_that_failed() {
    let engine = Engine::answering([Hangs, Fine, Hangs, Hangs]);
    let policies = "{ timeouts: { t: 500 }, retries: { r: { duration: 1s, maxRetries: 1 } } }";
    let targets = "{ components: { s: { outbound: { timeout: t, retry: r } } } }";
    let blocks = over(&engine, resiliencies(policies, targets));
    let state = blocks.state(&caller("orders"), "s");
    assert_eq!(state.set(item("k", "v")).await, Ok(()));
    assert_eq!(
        state.set(item("k", "v")).await,
        Err(StateError::Timeout(
            "state store \"s\": state.set failed after 2 attempts in 2s: attempts 1-2: no answer within 500ms"
                .to_owned()
        ))
    );
}

#[tokio::test(start_paused = true)]
async fn retries_end_with_the_deadline_of_the_caller() {
    let engine = Engine::answering([Unavailable; 9]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let short = caller_in("default", "orders", Duration::from_secs(3));
    let began = tokio::time::Instant::now();
    let answer = blocks.state(&short, "s").set(item("k", "v")).await;
    assert_eq!(
        answer,
        Err(StateError::Unavailable(
            "state store \"s\": state.set failed after 2 attempts in 2s, no time is left for another: \
             attempts 1-2: no route to host"
                .to_owned()
        ))
    );
    assert_eq!(began.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_publishes_the_same_event() {
    let engine = Engine::answering([Unavailable, Unavailable]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let publisher = blocks.publisher(&caller("orders"), "p");
    let message = Message {
        data: "hello".into(),
        content_type: None,
    };
    let published = publisher.publish("t", message, PublishOptions::default());
    assert_eq!(published.await, Ok(()));
    let events = std::mem::take(&mut engine.0.lock().events);
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.id == events[0].id));
}

#[tokio::test(start_paused = true)]
async fn of_a_bulk_call_only_what_failed_is_tried_again() {
    let engine = Engine::answering([Fine, Unavailable, Conflict, Unavailable, Fine, Unavailable]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let state = blocks.state(&caller("orders"), "s");
    let items = ["a", "b", "c", "d"].map(|key| item(key, "v"));
    let failed = state.bulk_set(items.to_vec()).await;
    assert_eq!(
        failed,
        Ok(vec![(
            "c".to_owned(),
            StateError::Conflict("stale etag".to_owned())
        )])
    );
    let seen = engine.seen().join(" ").replace("orders||", "");
    assert_eq!(seen, "a b c d b d d");
    let keys = vec!["a".to_owned(), "x||y".to_owned(), "b".to_owned()];
    engine.0.lock().answers.extend([Unavailable, Fine]);
    let read = state.bulk_get(keys, GetOptions::default()).await.unwrap();
    let shapes: Vec<_> = read.iter().map(|(_, entry)| entry.is_ok()).collect();
    assert_eq!(shapes, [true, false, true]);
    assert_eq!(engine.seen().join(" ").replace("orders||", ""), "a b a");
}

#[tokio::test(start_paused = true)]
async fn items_that_fail_to_the_end_say_what_was_tried() {
    let engine = Engine::answering([Unavailable, Fine, Unavailable, Unavailable, Unavailable]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let publisher = blocks.publisher(&caller("orders"), "p");
    let entry = |id: &str| BulkMessage {
        entry_id: id.to_owned(),
        ..BulkMessage::default()
    };
    let messages = vec![entry("a"), entry("b")];
    let failed = publisher.bulk_publish("t", messages, PublishOptions::default());
    assert_eq!(
        failed.await,
        Ok(vec![(
            "a".to_owned(),
            PubSubError::Unavailable(
                "pub/sub backend \"p\": pubsub.bulk_publish failed after 4 attempts in 6s: attempts 1-4: no leader"
                    .to_owned()
            )
        )])
    );
    assert_eq!(engine.seen().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_bulk_call_without_any_answer_fails_as_a_whole() {
    let engine = Engine::answering([Hangs, Hangs]);
    let blocks = over(&engine, Resiliencies::default());
    let short = caller_in("default", "orders", Duration::from_secs(1));
    let items = ["a", "b"].map(|key| item(key, "v"));
    let failed = blocks.state(&short, "s").bulk_set(items.to_vec()).await;
    assert_eq!(
        failed,
        Err(StateError::Timeout(
            "state store \"s\": state.bulk_set had no answer before the deadline of the call"
                .to_owned()
        ))
    );
}

const BREAKER: &str =
    "{ circuitBreakers: { c: { timeout: 30s, trip: consecutiveFailures >= 2 } } }";
const BROKEN: &str = "{ components: { s: { outbound: { circuitBreaker: c } } } }";

#[tokio::test(start_paused = true)]
async fn an_open_breaker_spares_the_store_and_is_listed() {
    let engine = Engine::answering([Unavailable, Unavailable]);
    let blocks = over(&engine, resiliencies(BREAKER, BROKEN));
    let state = blocks.state(&caller("orders"), "s");
    for _ in 0..2 {
        assert!(state.set(item("k", "v")).await.is_err());
    }
    assert_eq!(
        state.set(item("k", "v")).await,
        Err(StateError::Unavailable(
            "state store \"s\": its circuit breaker is open for another 30s".to_owned()
        ))
    );
    assert_eq!(engine.seen().len(), 2);
    // Each app has its own, as it has in a sidecar of its own.
    let other = blocks.state(&caller("carts"), "s");
    assert_eq!(other.set(item("k", "v")).await, Ok(()));
    let listed = blocks.backends().await;
    let states = |name: &str| {
        let backend = listed.iter().find(|own| own.name == name).unwrap();
        let breakers = backend.breakers.iter();
        breakers
            .map(|own| format!("{} {:?}", own.app, own.states))
            .collect::<Vec<_>>()
    };
    let state_of = |app: &str, state| format!("{app} [({state:?}, 1)]");
    assert_eq!(
        states("s"),
        [
            state_of("carts", BreakerState::Closed),
            state_of("orders", BreakerState::Open)
        ]
    );
    assert_eq!(states("p"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_s_own_mistakes_open_no_breaker() {
    let engine = Engine::answering([Unavailable, Conflict, Unavailable]);
    let blocks = over(&engine, resiliencies(BREAKER, BROKEN));
    let state = blocks.state(&caller("orders"), "s");
    assert!(state.set(item("k", "v")).await.is_err());
    for _ in 0..5 {
        assert!(state.get("a||b", GetOptions::default()).await.is_err());
    }
    // A conflict shows that the store works: the failures are not in a row.
    assert!(state.set(item("k", "v")).await.is_err());
    assert!(state.set(item("k", "v")).await.is_err());
    assert_eq!(state.set(item("k", "v")).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_changed_policy_counts_from_the_next_call() {
    let engine = Engine::answering([Unavailable, Unavailable]);
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    let state = blocks.state(&caller("orders"), "s");
    let under_way = state.set(item("k", "v"));
    tokio::pin!(under_way);
    assert!(futures::poll!(under_way.as_mut()).is_pending());
    govern(&blocks, &engine, Resiliencies::default());
    let once = state.set(item("k", "v")).await;
    assert!(matches!(once, Err(StateError::Unavailable(_))), "{once:?}");
    assert_eq!(under_way.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn policies_that_change_under_load_fail_no_call() {
    let engine = Engine::default();
    let blocks = over(&engine, resiliencies(RETRY, BOTH));
    // Each call fails at first, and is tried again while the policies change.
    engine.0.lock().answers.extend([Unavailable; 100]);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let state = blocks.state(&caller("orders"), "s");
            tokio::spawn(async move { state.set(item("k", "v")).await })
        })
        .collect();
    for pause in [1, 2, 3, 4, 5] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let retry = format!("{{ retries: {{ r: {{ duration: {pause}s }} }} }}");
        govern(&blocks, &engine, resiliencies(&retry, BOTH));
        assert_eq!(
            blocks
                .state(&caller("carts"), "s")
                .set(item("k", "v"))
                .await,
            Ok(())
        );
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(()));
    }
    assert_eq!(engine.seen().len(), 205);
}
