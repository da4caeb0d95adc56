//! One request of another host: who calls whom, until when, and may they.

use super::{handshake::Ends, limits::ServerLimits};
use crate::{
    access::Gate,
    headers::{CALLEE, CALLER, TIMEOUT, strip},
    identity::SpiffeId,
    refusal::Refusal,
};
use berth_blocks::{
    Caller,
    invocation::{Body, InvokeError, Target},
};
use berth_telemetry::trace::{self, Trace};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

/// How long an app may take until its answer begins if the caller says nothing.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// How the ends of a connection are known.
#[derive(Debug)]
pub(super) enum Origin {
    /// By certificates.
    Certificate(Ends),
    /// Each request says it, and it is believed.
    Claimed,
}

/// Answers requests of other hosts.
pub(super) struct Answering {
    pub gate: Arc<Gate>,
    pub limits: ServerLimits,
    pub draining: AtomicBool,
}

/// Who calls whom.
struct Call {
    caller: Target,
    /// `None`: nobody vouches for the caller.
    proof: Option<SpiffeId>,
    callee: Target,
}

impl Answering {
    /// Whatever goes wrong is an answer, too.
    pub async fn answer(&self, origin: &Origin, request: Request<Body>) -> Response<Body> {
        let call = match who(origin, request.headers()) {
            Ok(call) => call,
            Err((refusal, text)) => return refusal.response(text),
        };
        if self.draining.load(Ordering::Relaxed) {
            return Refusal::Draining.response("the host is about to stop");
        }
        if !self.gate.serves(&call.callee) {
            let Target { namespace, app } = &call.callee;
            return Refusal::NoSuchApp
                .response(&format!("no app `{app}` in namespace `{namespace}` here"));
        }
        match self.pass(&call, request).await {
            Ok(mut response) => {
                strip(response.headers_mut());
                response
            }
            Err(error) => Refusal::from(&error).response(&error.to_string()),
        }
    }

    async fn pass(
        &self,
        call: &Call,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        // Grants across namespaces do not exist, whatever the caller's host believes.
        if call.caller.namespace != call.callee.namespace {
            return Err(InvokeError::Denied(format!(
                "app \"{}\" of namespace \"{}\" may not call apps of namespace \"{}\"",
                call.caller.app, call.caller.namespace, call.callee.namespace
            )));
        }
        let (method, path) = (request.method(), request.uri().path());
        self.gate
            .check(call.proof.as_ref(), &call.callee, method, path)?;
        let deadline = self.deadline(request.headers());
        let caller = Caller {
            namespace: call.caller.namespace.clone(),
            app: call.caller.app.clone(),
            // The span of the call is the caller's host's: what the app does nests below it.
            trace: Trace::remote(trace::Origin::of_headers(request.headers())),
            deadline,
        };
        // The two that every request has: then nearly always nothing is left to strip.
        request.headers_mut().remove(&CALLEE);
        request.headers_mut().remove(&TIMEOUT);
        strip(request.headers_mut());
        to_origin_form(&mut request);
        let mut answer = pin!(self.gate.admit(&caller, &call.callee, request));
        // Many answers are there at once: then there is no timer to make.
        if let Poll::Ready(answer) = futures::poll!(answer.as_mut()) {
            return answer;
        }
        let answer = tokio::time::timeout_at(deadline.into(), answer).await;
        answer.unwrap_or_else(|_| {
            Err(InvokeError::Timeout(format!(
                "app \"{}\" had no answer before the deadline of the call",
                call.callee.app
            )))
        })
    }

    fn deadline(&self, headers: &HeaderMap) -> Instant {
        let given = text(headers, &TIMEOUT).and_then(|text| text.parse().ok());
        let timeout = given.map_or(TIMEOUT_DEFAULT, Duration::from_millis);
        Instant::now() + timeout.min(self.limits.request_timeout_max)
    }
}

fn who(origin: &Origin, headers: &HeaderMap) -> Result<Call, (Refusal, &'static str)> {
    let callee = text(headers, &CALLEE).and_then(|name| name.split_once('.'));
    let unsaid = (
        Refusal::Misdirected,
        "the request does not say for which app it is",
    );
    let (app, namespace) = callee.ok_or(unsaid)?;
    match origin {
        Origin::Certificate(ends)
            if ends.callee.app.as_str() == app && ends.callee.namespace.as_str() == namespace =>
        {
            Ok(Call {
                caller: ends.caller.workload.clone(),
                proof: Some(ends.caller.clone()),
                callee: ends.callee.clone(),
            })
        }
        Origin::Certificate(_) => Err((
            Refusal::Misdirected,
            "the request is for another app than the connection",
        )),
        Origin::Claimed => {
            let caller = text(headers, &CALLER).and_then(|name| name.split_once('.'));
            let caller = caller.and_then(|(app, namespace)| parse(app, namespace));
            let missing = (Refusal::Misdirected, "the request does not say who calls");
            Ok(Call {
                caller: caller.ok_or(missing)?,
                proof: None,
                callee: parse(app, namespace).ok_or(unsaid)?,
            })
        }
    }
}

fn parse(app: &str, namespace: &str) -> Option<Target> {
    Some(Target {
        namespace: namespace.parse().ok()?,
        app: app.parse().ok()?,
    })
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// As a call within a host arrives: path and query, and the host that the caller wrote as a header.
fn to_origin_form(request: &mut Request<Body>) {
    let authority = request.uri().authority();
    let host = authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(header::HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
}
