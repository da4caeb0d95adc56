//! One request: find the app, prepare the headers, hand over.

use super::routes::{Match, RouteTable};
use crate::{headers, reply::Refusal, server::Handle};
use arc_swap::ArcSwap;
use berth_blocks::invocation::{Body, Target};
use berth_runtime::{DeadlineGuard, Runtime};
use http::{Request, Response, StatusCode, Version, header};
use std::sync::Arc;

/// What answers requests: the runtime.
pub trait Answer: Send + Sync + 'static {
    /// The app's answer. Whatever goes wrong is a response, too.
    fn answer(
        &self,
        target: &Target,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

impl Answer for Runtime {
    async fn answer(&self, target: &Target, request: Request<Body>) -> Response<Body> {
        self.handle(target, request).await
    }
}

/// One message for a path that no app has and for a path that is not for clients.
const NO_ROUTE: Refusal = Refusal {
    status: StatusCode::NOT_FOUND,
    reason: "no-route",
    code: "ERR_NO_ROUTE",
    message: "nothing is served at this address",
};

const DOT_SEGMENT: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    reason: "bad-request",
    code: "ERR_BAD_REQUEST",
    message: "the path holds `.` or `..` segments: resolve them before sending",
};

const BAD_HOST: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    reason: "bad-request",
    code: "ERR_BAD_REQUEST",
    message: "an HTTP/1.1 request needs exactly one Host header",
};

/// What every connection shares.
pub(crate) struct Handler<A> {
    pub routes: Arc<ArcSwap<RouteTable>>,
    pub apps: Arc<A>,
}

impl<A: Answer> Handle for Handler<A> {
    async fn handle(&self, mut request: Request<Body>, guard: DeadlineGuard) -> Response<Body> {
        let routes = self.routes.load_full();
        let target = match route(&routes, &request) {
            Ok(target) => target,
            Err(refusal) => {
                metrics::counter!("berth_ingress_refused_total", "reason" => refusal.reason)
                    .increment(1);
                return refusal.response();
            }
        };
        headers::drop_foreign(request.headers_mut());
        request.extensions_mut().insert(guard);
        self.apps.answer(target, request).await
    }
}

fn route<'a, B>(routes: &'a RouteTable, request: &Request<B>) -> Result<&'a Target, Refusal> {
    let host = host_of(request)?;
    match routes.find(host, request.uri().path()) {
        Match::App(target) => Ok(target),
        Match::Nothing => Err(NO_ROUTE),
        Match::DotSegment => Err(DOT_SEGMENT),
    }
}

/// The host that the client asked for: of the URI if it has one (HTTP/2, proxies), else of the header.
fn host_of<B>(request: &Request<B>) -> Result<Option<&str>, Refusal> {
    let mut given = request.headers().get_all(header::HOST).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() || (first.is_none() && request.version() == Version::HTTP_11) {
        return Err(BAD_HOST);
    }
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.as_str()));
    }
    first
        .map(|value| value.to_str().map_err(|_| BAD_HOST))
        .transpose()
}
