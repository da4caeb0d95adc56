//! Calls to other hosts.
//!
//! ```text
//! Mesh::call ──▶ Directory (resolver, last known good) ──▶ Balancer (two choices) ──▶ Pool ──▶ attempt
//!                                   ▲ the next host, while the request is surely undelivered ───┘
//! ```

mod attempt;
mod balance;
mod connect;
mod connection;
mod directory;
mod failure;
mod host;
mod limits;
mod pool;

pub use failure::{Attempt, AttemptError, CallFailure, Cause, Delivery};
pub use limits::ClientLimits;

use crate::{
    body::Resumable,
    headers::{CALLEE, CALLER, TIMEOUT, say, strip},
    refusal::text_of,
    security::Security,
};
use attempt::Attempted;
use balance::pick;
use berth_blocks::{
    Caller,
    invocation::{Body, InvokeError, Target},
    resolution::Resolver,
};
use berth_telemetry::trace::{Span, SpanKind, Trace};
use directory::Directory;
use host::Host;
use http::{
    HeaderValue, Method, Request, Response, Uri, header,
    request::Parts,
    uri::{Authority, PathAndQuery, Scheme},
};
use pool::Pool;
use std::{pin::pin, sync::Arc, time::Instant};

/// Calls to apps of other hosts.
pub struct Mesh {
    security: Security,
    limits: ClientLimits,
    directory: Directory,
    pool: Arc<Pool>,
}

impl Mesh {
    /// Call it within a tokio runtime: a task closes idle connections until the mesh is dropped.
    #[must_use]
    pub fn new(security: Security, resolver: Arc<dyn Resolver>, limits: ClientLimits) -> Arc<Self> {
        let pool = Arc::new(Pool::default());
        tokio::spawn(Pool::sweep(Arc::downgrade(&pool), limits.idle_timeout));
        Arc::new(Self {
            security,
            directory: Directory::new(resolver, &limits),
            limits,
            pool,
        })
    }

    /// Replaces the resolver; what the one before said counts until the new one has answered.
    pub fn set_resolver(&self, resolver: Arc<dyn Resolver>) {
        self.directory.set_resolver(resolver);
    }

    /// Sends a request to an app on one of its hosts, and to the next one as long as it is sure that no app has seen
    /// it. The answer's body may still stream after the caller's deadline, which ends with the head.
    ///
    /// # Errors
    /// What was tried, why each host failed, and whether the request may have been executed.
    pub async fn call(
        &self,
        caller: &Caller,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, CallFailure> {
        let called = self.within_deadline(caller, target, request).await;
        let outcome = match &called {
            Ok(_) => "ok",
            Err(failure) => failure.outcome(),
        };
        metrics::counter!("berth_mesh_calls_total", "outcome" => outcome).increment(1);
        called
    }

    async fn within_deadline(
        &self,
        caller: &Caller,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, CallFailure> {
        let mut tried = Vec::new();
        let cause = {
            // Pinned here: wrapping it would move a large future.
            let mut trying = pin!(self.try_hosts(caller, target, request, &mut tried));
            match tokio::time::timeout_at(caller.deadline.into(), trying.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(cause)) => cause,
                Err(_) => Cause::Deadline,
            }
        };
        Err(CallFailure {
            target: target.clone(),
            tried,
            cause,
        })
    }

    async fn try_hosts(
        &self,
        caller: &Caller,
        target: &Target,
        request: Request<Body>,
        tried: &mut Vec<Attempt>,
    ) -> Result<Response<Body>, Cause> {
        let mut outgoing = Outgoing::new(caller, target, request).map_err(Cause::Unsent)?;
        let (hosts, callee) = self
            .directory
            .look_up(target)
            .await
            .map_err(|error| Cause::Unsent(InvokeError::Undelivered(error)))?;
        if hosts.is_empty() {
            let Target { namespace, app } = target;
            return Err(Cause::Unsent(InvokeError::NotFound(format!(
                "no app `{app}` in namespace `{namespace}`: no host has announced it"
            ))));
        }
        outgoing.head.headers.insert(CALLEE.clone(), callee);
        while tried.len() < self.limits.attempts_max {
            let Some(host) = pick(&hosts, |host| {
                tried.iter().any(|attempt| attempt.host == host.address)
            }) else {
                break;
            };
            outgoing.number = tried.len() + 1;
            let span = outgoing.span(&host);
            outgoing.trace = caller.trace.inside(&span);
            let Some(request) = outgoing.request() else {
                break;
            };
            tried.push(Attempt::begun(host.address));
            let attempted = self.attempt(&host, &outgoing, request).await;
            let error = match attempted {
                Attempted::Answered(response) => {
                    outgoing.settle();
                    return Ok(response);
                }
                Attempted::Refused(kind, response) => {
                    tried.pop();
                    outgoing.settle();
                    return Err(Cause::Refused(
                        kind.error(Box::pin(text_of(response)).await),
                    ));
                }
                Attempted::Failed(error) => error,
            };
            span.fail(error.reason(), || error.reason().to_owned());
            metrics::counter!("berth_mesh_attempts_failed_total", "reason" => error.reason())
                .increment(1);
            let is_safe = error.delivery() == Delivery::Undelivered;
            if let Some(last) = tried.last_mut() {
                last.error = Some(error);
            }
            if !is_safe {
                return Err(Cause::Hosts);
            }
        }
        // All hosts that are known have failed: perhaps there are others by now.
        self.directory.doubt(target);
        Err(Cause::Hosts)
    }
}

/// A request on its way, to be sent to one host after the other.
struct Outgoing<'a> {
    caller: &'a Caller,
    caller_target: Target,
    target: &'a Target,
    /// Where the present attempt stands.
    trace: Trace,
    /// Which one it is, from 1.
    number: usize,
    head: Parts,
    body: Option<Resumable>,
}

impl<'a> Outgoing<'a> {
    fn new(
        caller: &'a Caller,
        target: &'a Target,
        request: Request<Body>,
    ) -> Result<Self, InvokeError> {
        let (mut head, body) = request.into_parts();
        if head.method == Method::CONNECT {
            return Err(InvokeError::Invalid(
                "the method CONNECT does not travel between hosts".to_owned(),
            ));
        }
        strip(&mut head.headers);
        head.uri = to_absolute_form(&mut head, target)?;
        head.version = http::Version::HTTP_2;
        head.extensions.clear();
        Ok(Self {
            caller,
            trace: caller.trace.clone(),
            number: 1,
            caller_target: Target {
                namespace: caller.namespace.clone(),
                app: caller.app.clone(),
            },
            target,
            head,
            body: Resumable::new(body),
        })
    }

    /// The span of an attempt: what the other host does for it nests below.
    fn span(&self, host: &Host) -> Span {
        let trace = &self.caller.trace;
        let span = trace.span(SpanKind::Client, || "invocation.attempt".into());
        if span.is_recorded() {
            span.set(
                "berth.attempt",
                i64::try_from(self.number).unwrap_or(i64::MAX),
            );
            span.set("network.peer.address", host.address.ip().to_string());
            span.set("network.peer.port", host.address.port());
        }
        span
    }

    /// The request for one attempt; `None` if too much of its body is gone.
    fn request(&self) -> Option<Request<Body>> {
        let body = match &self.body {
            Some(body) => body.read()?,
            None => crate::body::empty(),
        };
        let mut head = self.head.clone();
        self.trace.inject(&mut head.headers);
        let left = self
            .caller
            .deadline
            .saturating_duration_since(Instant::now());
        let mut timeout = HeaderValue::from(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        // Another one in every request: HPACK keeps what is sensitive out of its table, where it would drive out
        // headers that come again (RFC 7541 section 7.1.3).
        timeout.set_sensitive(true);
        head.headers.insert(TIMEOUT.clone(), timeout);
        Some(Request::from_parts(head, body))
    }

    /// Says who calls, where nothing proves it.
    fn claim(&self, request: &mut Request<Body>) {
        let Target { namespace, app } = &self.caller_target;
        say(
            request.headers_mut(),
            &CALLER,
            &format!("{app}.{namespace}"),
        );
    }

    fn settle(&self) {
        if let Some(body) = &self.body {
            body.settle();
        }
    }
}

/// HTTP/2 wants scheme and authority: the authority is what the app wrote, else the app that is called.
fn to_absolute_form(head: &mut Parts, target: &Target) -> Result<Uri, InvokeError> {
    let invalid = |error: &dyn std::fmt::Display| InvokeError::Invalid(error.to_string());
    let host = head.headers.remove(header::HOST);
    let mut parts = std::mem::take(&mut head.uri).into_parts();
    if parts.authority.is_none() {
        let written = host.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        let authority = match written {
            [] => Authority::try_from(target.app.as_str()),
            written => Authority::try_from(written),
        };
        parts.authority = Some(authority.map_err(|error| invalid(&error))?);
    }
    parts.scheme = Some(Scheme::HTTPS);
    parts
        .path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|error| invalid(&error))
}
