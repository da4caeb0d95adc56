//! `/v1.0/metadata`: what the caller can use, what it receives, and notes that clients keep here.

use super::{Call, Door, Outcome, body, errors, reply};
use berth_blocks::{BackendDescription, RunningSubscription, invocation::Body};
use http::Response;
use parking_lot::Mutex;
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// Notes of one door.
const NOTES_MAX: usize = 256;
/// The note that is always there.
const VERSION_NOTE: &str = "daprRuntimeVersion";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What clients keep here.
#[derive(Default)]
pub(super) struct Extended(Mutex<BTreeMap<String, String>>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    id: &'a str,
    runtime_version: &'static str,
    enabled_features: [&'static str; 0],
    actors: [&'static str; 0],
    components: Vec<Component>,
    extended: BTreeMap<String, String>,
    subscriptions: Vec<Subscription>,
    http_endpoints: Vec<HttpEndpoint>,
    app_connection_properties: AppConnection,
    actor_runtime: ActorRuntime,
}

#[derive(Serialize)]
struct Component {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    version: String,
    capabilities: Vec<&'static str>,
}

#[derive(Serialize)]
struct HttpEndpoint {
    name: String,
}

#[derive(Serialize)]
struct Subscription {
    pubsubname: String,
    topic: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<Rule>,
    #[serde(rename = "deadLetterTopic")]
    dead_letter_topic: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Rule {
    #[serde(rename = "match", skip_serializing_if = "String::is_empty")]
    expression: String,
    path: String,
}

/// Nobody is called over a connection: guests are called within the host.
#[derive(Serialize)]
struct AppConnection {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActorRuntime {
    runtime_status: &'static str,
    host_ready: bool,
}

/// `GET /v1.0/metadata`
pub(super) fn get(door: &Door) -> Response<Body> {
    let caller = &door.caller;
    let components = door.blocks.described(&caller.namespace, &caller.app);
    let services = door.blocks.services_outside(&caller.namespace, &caller.app);
    let running = door.deliveries.list().into_iter();
    let own = running.filter(|running| running.target == *caller);
    let mut extended = door.extended.0.lock().clone();
    extended.insert(VERSION_NOTE.to_owned(), VERSION.to_owned());
    reply::json(&Report {
        id: door.app(),
        runtime_version: VERSION,
        enabled_features: [],
        actors: [],
        components: components.into_iter().map(Component::from).collect(),
        extended,
        subscriptions: own.map(Subscription::from).collect(),
        http_endpoints: services
            .into_iter()
            .map(|name| HttpEndpoint { name })
            .collect(),
        app_connection_properties: AppConnection {},
        actor_runtime: ActorRuntime {
            runtime_status: "DISABLED",
            host_ready: false,
        },
    })
}

/// `PUT /v1.0/metadata/{key}`: the body is the text to keep.
pub(super) async fn put(door: &Door, call: Call, key: Cow<'_, str>) -> Outcome {
    let value = body::read(call, door.body_bytes_max).await;
    let value = value.map_err(|why| errors::body_read(&why))?;
    let value = String::from_utf8_lossy(&value).into_owned();
    let mut notes = door.extended.0.lock();
    if notes.len() >= NOTES_MAX && !notes.contains_key(&*key) {
        let why = format!("{NOTES_MAX} keys are kept already");
        return Err(errors::body_read(&why));
    }
    notes.insert(key.into_owned(), value);
    Ok(reply::empty())
}

impl From<BackendDescription> for Component {
    fn from(backend: BackendDescription) -> Self {
        Self {
            name: backend.name,
            kind: backend.kind.0,
            version: backend.version,
            capabilities: backend.capabilities,
        }
    }
}

impl From<RunningSubscription> for Subscription {
    fn from(running: RunningSubscription) -> Self {
        let subscription = running.subscription;
        let default = subscription.default_route.map(|path| Rule {
            expression: String::new(),
            path,
        });
        let rules = subscription.rules.into_iter().map(|rule| Rule {
            expression: rule.expression,
            path: rule.path,
        });
        Self {
            pubsubname: running.pubsub,
            topic: running.topic,
            metadata: subscription.metadata.into_iter().collect(),
            rules: rules.chain(default).collect(),
            dead_letter_topic: running.dead_letter_topic.unwrap_or_default(),
            kind: if subscription.in_code {
                "PROGRAMMATIC"
            } else {
                "DECLARATIVE"
            },
        }
    }
}
