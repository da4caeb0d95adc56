//! One host is asked once.

use super::{Mesh, Outgoing, connection::Place, failure::AttemptError, host::Host, pool::Route};
use crate::{
    body::Holding,
    headers::strip,
    refusal::{Kind, Refusal},
    security::Security,
};
use berth_blocks::invocation::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{error::Error, sync::Arc};
use tokio::time::Instant;

/// What came of it.
pub(super) enum Attempted {
    /// The app's answer.
    Answered(Response<Body>),
    /// The host asked the app, or did not let the request through to it.
    Refused(Kind, Response<Body>),
    /// No answer.
    Failed(AttemptError),
}

impl Mesh {
    pub(super) async fn attempt(
        &self,
        host: &Arc<Host>,
        outgoing: &Outgoing<'_>,
        request: Request<Body>,
    ) -> Attempted {
        let route = Route {
            caller: outgoing.caller_target.clone(),
            target: outgoing.target.clone(),
            address: host.address,
        };
        let mut request = Some(request);
        loop {
            let placed = match self.pool.place(&route, &self.security, &self.limits).await {
                Ok(placed) => placed,
                Err(error) => return failed(host, error),
            };
            let Some(mut sent) = request.take().or_else(|| outgoing.request()) else {
                return failed(host, AttemptError::Untaken);
            };
            if matches!(self.security, Security::Plain) {
                outgoing.claim(&mut sent);
            }
            match send(placed.place, host, sent).await {
                // It was closed while it rested: that says nothing of the host. A new connection does.
                Err(AttemptError::Untaken) if placed.is_reused => {}
                Err(error) => return failed(host, error),
                Ok(response) => return judge(host, response),
            }
        }
    }
}

fn failed(host: &Host, error: AttemptError) -> Attempted {
    // What is wrong with ourselves says nothing of the host.
    if !matches!(error, AttemptError::NoCertificate | AttemptError::Plain(_)) {
        host.failed();
    }
    Attempted::Failed(error)
}

fn judge(host: &Host, mut response: Response<Body>) -> Attempted {
    let refusal = Refusal::of(&response);
    strip(response.headers_mut());
    match refusal {
        None => Attempted::Answered(response),
        Some(Refusal::Failed(kind)) => Attempted::Refused(kind, response),
        Some(Refusal::NoSuchApp) => failed(host, AttemptError::NoSuchApp),
        Some(Refusal::Draining) => failed(host, AttemptError::Draining),
        Some(Refusal::Misdirected) => failed(host, AttemptError::Misdirected),
    }
}

async fn send(
    place: Place,
    host: &Arc<Host>,
    request: Request<Body>,
) -> Result<Response<Body>, AttemptError> {
    let load = Load::begin(host);
    let mut waiting = Waiting::begin(host);
    let answer = place.send(request).await;
    match answer {
        Ok(response) => {
            waiting.answered();
            Ok(hold(response, (place, load)))
        }
        Err(mut error) => Err(if error.take_message().is_some() {
            AttemptError::Untaken
        } else {
            of_stream(&error.into_error())
        }),
    }
}

fn hold(response: Response<Incoming>, held: (Place, Load)) -> Response<Body> {
    response.map(|body| Holding::new(body, held).boxed_unsync())
}

/// Whether the other side took the request up. It says no by REFUSED_STREAM, or by GOAWAY with a last stream before this
/// one (RFC 9113 sections 8.7 and 6.8); h2 gives the latter's error to just these streams.
fn of_stream(error: &hyper::Error) -> AttemptError {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<h2::Error>() {
            let is_untaken = error.is_remote()
                && match error.reason() {
                    Some(h2::Reason::REFUSED_STREAM) => true,
                    Some(h2::Reason::NO_ERROR) => error.is_go_away(),
                    _ => false,
                };
            if is_untaken {
                return AttemptError::Untaken;
            }
            return AttemptError::Broken(error.to_string());
        }
        source = inner.source();
    }
    AttemptError::Broken(error.to_string())
}

/// A request without an answer: whoever waits may give up at any time, and the host is slower than that.
struct Waiting<'h> {
    host: &'h Host,
    began: Instant,
    has_answer: bool,
}

impl<'h> Waiting<'h> {
    fn begin(host: &'h Host) -> Self {
        Self {
            host,
            began: Instant::now(),
            has_answer: false,
        }
    }

    fn answered(&mut self) {
        self.has_answer = true;
        self.host.answered(self.began.elapsed());
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.has_answer {
            self.host.kept_waiting(self.began.elapsed());
        }
    }
}

/// Counts a request as the host's load until its answer has been read.
struct Load(Arc<Host>);

impl Load {
    fn begin(host: &Arc<Host>) -> Self {
        host.begin();
        Self(host.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.end();
    }
}
