//! Dapr's HTTP API: the building blocks for native programs, as Dapr's own SDKs ask for them.
//!
//! ```text
//! request ──▶ head limit ──▶ token ──▶ route (below) ──▶ one file per block: convert, call its handle, convert back
//!                                        └── no route ──▶ invoke, since the app may stand in a header
//! ```
//!
//! | route | file |
//! |---|---|
//! | `/v1.0/state/{store}`, `.../{key}`, `.../bulk`, `.../transaction`; `/v1.0-alpha1/state/{store}/query` | `state` |
//! | `/v1.0/publish/{pubsub}/{topic...}`; `/v1.0/publish/bulk/...`, also at `v1.0-alpha1` | `publish` |
//! | `/v1.0/secrets/{store}/{name}`, `.../bulk` | `secrets` |
//! | any verb on `/v1.0/invoke/{app}/method/{path...}`; any path with `dapr-app-id` | `invoke` |
//! | `/v1.0/workflows/{component}/...`, also at `v1.0-beta1` and `v1.0-alpha1` | `workflow` |
//! | `/v1.0/metadata`, `/v1.0/metadata/{key}` | `metadata` |
//! | `/v1.0/healthz`, `/v1.0/healthz/outbound` | `healthz` |
//!
//! Every call through a door is made by one app, the door's *caller*: its scopes, key prefix and namespace apply.
//! `README.md` of this crate says how it is chosen, and what berth does where Dapr leaves it open.

mod body;
mod errors;
mod healthz;
mod invoke;
mod metadata;
mod path;
mod publish;
mod query;
mod reply;
mod secrets;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod workflow;

pub use server::{DaprHttp, DaprHttpOptions, ServingDaprHttp};

use crate::{server::Handle, token};
use berth_blocks::{
    Blocks, Caller, Deliveries,
    invocation::{self, Target},
};
use berth_resources::Secret;
use berth_runtime::DeadlineGuard;
use berth_telemetry::trace::{Origin, Tracer};
use errors::ApiError;
use http::{HeaderMap, Method, Request, Response, request::Parts};
use metadata::Extended;
use query::Query;
use std::{
    borrow::Cow,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a call may take: Dapr has no bound, but a client that waits longer has given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The same for invocations, which may stream: the app's own `limits.timeout` ends them earlier.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(3600);
/// Go's HTTP server, and so Dapr, adds this to the limit of a head.
const HEAD_SLACK: usize = 4096;

/// One door: what every connection of it shares.
struct Door {
    blocks: Blocks,
    deliveries: Arc<Deliveries>,
    /// On whose behalf every call is made.
    caller: Target,
    tracer: Tracer,
    /// Where the door listens, which invocations tell their target.
    ip: IpAddr,
    token: Option<Secret>,
    body_bytes_max: usize,
    head_bytes_max: usize,
    /// What clients keep in `/v1.0/metadata`.
    extended: Extended,
    draining: AtomicBool,
}

/// What became of a request.
type Outcome = Result<Response<invocation::Body>, ApiError>;

/// A request on its way to a block.
struct Call {
    head: Parts,
    body: invocation::Body,
    guard: DeadlineGuard,
}

/// What a path means. Parts of a path are still escaped.
#[derive(Debug, PartialEq, Eq)]
enum Route<'p> {
    SaveState {
        store: &'p str,
    },
    GetState {
        store: &'p str,
        key: &'p str,
    },
    DeleteState {
        store: &'p str,
        key: &'p str,
    },
    BulkGetState {
        store: &'p str,
    },
    TransactState {
        store: &'p str,
    },
    QueryState {
        store: &'p str,
    },
    Publish {
        pubsub: &'p str,
        topic: &'p str,
    },
    BulkPublish {
        pubsub: &'p str,
        topic: &'p str,
    },
    GetSecret {
        store: &'p str,
        name: &'p str,
    },
    BulkGetSecrets {
        store: &'p str,
    },
    StartWorkflow {
        name: &'p str,
    },
    GetWorkflow {
        id: &'p str,
    },
    RaiseEvent {
        id: &'p str,
        event: &'p str,
    },
    ChangeWorkflow {
        id: &'p str,
        change: workflow::Change,
    },
    GetMetadata,
    PutMetadata {
        key: &'p str,
    },
    Health,
    OutboundHealth,
    /// Everything else: the app may stand in the path, in a header or nowhere.
    Invoke,
}

/// Finds the route of a clean path.
fn route<'p>(method: &Method, path: &'p str) -> Route<'p> {
    found(method, path).unwrap_or(Route::Invoke)
}

fn found<'p>(method: &Method, path: &'p str) -> Option<Route<'p>> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (block, rest) = rest
        .split_once('/')
        .map_or((rest, None), |(b, r)| (b, Some(r)));
    if block == "workflows" && VERSIONS_OF_WORKFLOW.contains(&version) {
        return workflow_route(method, rest?);
    }
    let alpha = match version {
        "v1.0" => false,
        "v1.0-alpha1" => true,
        _ => return None,
    };
    let write = *method == Method::POST || *method == Method::PUT;
    let read = *method == Method::GET;
    match (block, rest) {
        ("state", Some(rest)) => state_route(method, write, alpha, rest),
        ("publish", rest) if write => publish_route(alpha, rest.unwrap_or_default()),
        ("secrets", Some(rest)) if read && !alpha => match two(rest)? {
            (store, Some("bulk")) => Some(Route::BulkGetSecrets { store }),
            (store, Some(name)) => Some(Route::GetSecret { store, name }),
            _ => None,
        },
        ("metadata", None) if read && !alpha => Some(Route::GetMetadata),
        ("metadata", Some(key)) if *method == Method::PUT && !alpha && !key.contains('/') => {
            Some(Route::PutMetadata { key })
        }
        ("healthz", None) if read && !alpha => Some(Route::Health),
        ("healthz", Some("outbound")) if read && !alpha => Some(Route::OutboundHealth),
        _ => None,
    }
}

fn state_route<'p>(method: &Method, write: bool, alpha: bool, rest: &'p str) -> Option<Route<'p>> {
    let (store, key) = two(rest)?;
    Some(match (key, alpha) {
        (Some("query"), true) if write => Route::QueryState { store },
        (None, false) if write => Route::SaveState { store },
        (Some("bulk"), false) if write => Route::BulkGetState { store },
        (Some("transaction"), false) if write => Route::TransactState { store },
        (Some(key), false) if *method == Method::GET => Route::GetState { store, key },
        (Some(key), false) if *method == Method::DELETE => Route::DeleteState { store, key },
        _ => return None,
    })
}

/// All of them have the same routes.
const VERSIONS_OF_WORKFLOW: [&str; 3] = ["v1.0", "v1.0-beta1", "v1.0-alpha1"];

fn workflow_route<'p>(method: &Method, rest: &'p str) -> Option<Route<'p>> {
    let parts: Vec<_> = rest.split('/').collect();
    Some(match (method, parts.as_slice()) {
        (&Method::POST, [_, name, "start"]) => Route::StartWorkflow { name },
        (&Method::GET, [_, id]) => Route::GetWorkflow { id },
        (&Method::POST, [_, id, "raiseEvent", event]) => Route::RaiseEvent { id, event },
        (&Method::POST, [_, id, change]) => Route::ChangeWorkflow {
            id,
            change: workflow::Change::named(change)?,
        },
        _ => return None,
    })
}

/// A topic may hold slashes. Without a name the route is there all the same, since the answer says what is missing.
fn publish_route(alpha: bool, rest: &str) -> Option<Route<'_>> {
    let (pubsub, topic) = rest.split_once('/').unwrap_or((rest, ""));
    if pubsub == "bulk"
        && let Some((pubsub, topic)) = topic.split_once('/')
    {
        return Some(Route::BulkPublish { pubsub, topic });
    }
    (!alpha).then_some(Route::Publish { pubsub, topic })
}

/// One segment, or two.
fn two(rest: &str) -> Option<(&str, Option<&str>)> {
    match rest.split_once('/') {
        None => Some((rest, None)),
        Some((_, second)) if second.contains('/') => None,
        Some((first, second)) => Some((first, Some(second))),
    }
}

impl Handle for Door {
    async fn handle(
        &self,
        request: Request<invocation::Body>,
        guard: DeadlineGuard,
    ) -> Response<invocation::Body> {
        let (head, body) = request.into_parts();
        let answer = self.answer(Call { head, body, guard }).await;
        answer.unwrap_or_else(ApiError::into_response)
    }
}

impl Door {
    async fn answer(&self, mut call: Call) -> Outcome {
        if head_length(&call.head) > self.head_bytes_max + HEAD_SLACK {
            return Ok(reply::head_too_large());
        }
        // The path is taken out of the request so that its parts can be borrowed while the request is consumed.
        let uri = call.head.uri.clone();
        let path = path::clean(uri.path());
        let route = route(&call.head.method, &path);
        if !self.admits(&route, &mut call.head.headers) {
            return Ok(reply::invalid_token());
        }
        let query = Query::of(&uri);
        match route {
            Route::GetState { store, key } => {
                state::get(self, &call.head.headers, named(store)?, named(key)?, query).await
            }
            Route::SaveState { store } => state::save(self, call, named(store)?, query).await,
            Route::DeleteState { store, key } => {
                state::delete(self, &call.head.headers, named(store)?, named(key)?, query).await
            }
            Route::BulkGetState { store } => {
                state::bulk_get(self, call, named(store)?, query).await
            }
            Route::TransactState { store } => {
                state::transact(self, call, named(store)?, query).await
            }
            Route::QueryState { store } => state::query(self, &call.head.headers, named(store)?),
            Route::Publish { pubsub, topic } => {
                publish::publish(self, call, named(pubsub)?, named(topic)?, query).await
            }
            Route::BulkPublish { pubsub, topic } => {
                publish::bulk_publish(self, call, named(pubsub)?, named(topic)?, query).await
            }
            Route::GetSecret { store, name } => {
                secrets::get(self, &call.head.headers, named(store)?, named(name)?, query).await
            }
            Route::BulkGetSecrets { store } => {
                secrets::bulk(self, &call.head.headers, named(store)?, query).await
            }
            Route::StartWorkflow { name } => workflow::start(self, call, named(name)?, query).await,
            Route::GetWorkflow { id } => {
                workflow::get(self, &call.head.headers, named(id)?, query).await
            }
            Route::RaiseEvent { id, event } => {
                workflow::raise(self, call, named(id)?, named(event)?, query).await
            }
            Route::ChangeWorkflow { id, change } => {
                workflow::change(self, &call.head.headers, named(id)?, change, query).await
            }
            Route::GetMetadata => Ok(metadata::get(self)),
            Route::PutMetadata { key } => metadata::put(self, call, named(key)?).await,
            Route::Health => healthz::healthz(self, query),
            Route::OutboundHealth => healthz::outbound(self),
            Route::Invoke => invoke::invoke(self, call).await,
        }
    }

    /// Whether the client may call. The token goes no further.
    fn admits(&self, route: &Route<'_>, headers: &mut HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let given = headers.remove("dapr-api-token");
        matches!(route, Route::Health | Route::OutboundHealth)
            || given
                .is_some_and(|given| token::matches(token.reveal().as_bytes(), given.as_bytes()))
    }

    /// The caller of one request.
    fn caller(&self, headers: &HeaderMap, timeout: Duration) -> Arc<Caller> {
        Arc::new(Caller {
            namespace: self.caller.namespace.clone(),
            app: self.caller.app.clone(),
            // The program's own spans are its own business: what it asks for nests below where it says that it stands.
            trace: self.tracer.join(Origin::of_headers(headers)),
            deadline: Instant::now() + timeout,
        })
    }

    fn app(&self) -> &str {
        self.caller.app.as_str()
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// A part of the path as the client meant it.
fn named(part: &str) -> Result<Cow<'_, str>, ApiError> {
    path::unescape(part).ok_or_else(|| errors::malformed_path(part))
}

/// Bytes of names and values, as one would count those of the wire.
fn head_length(head: &Parts) -> usize {
    let headers = head.headers.iter();
    let lines: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    lines
        + head
            .uri
            .path_and_query()
            .map_or(0, |path| path.as_str().len())
}
