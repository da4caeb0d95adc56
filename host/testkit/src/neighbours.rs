//! Whom guests call: each other, apps with canned answers, and services outside.

use crate::{
    canned::{Answered, Canned},
    journal::Invocation,
    probe::{Asked, SharedProbe},
    site::Work,
};
use async_trait::async_trait;
use berth_blocks::{
    Caller,
    invocation::{Body, Invoke, InvokeError, LocalApps, Target},
};
use berth_resources::scenario::CannedAnswer;
use berth_runtime::{Outside, Runtime};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;

/// The apps of a world: those that the host has, and those that are given.
pub(crate) struct Neighbours {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) canned: Arc<Canned>,
    pub(crate) probe: SharedProbe,
}

/// Services outside.
pub(crate) struct ServicesOutside {
    pub(crate) canned: Arc<Canned>,
    pub(crate) probe: SharedProbe,
}

impl LocalApps for Neighbours {
    fn serves(&self, target: &Target) -> bool {
        self.canned.has(target.app.as_str()) || self.runtime.serves(target)
    }
}

#[async_trait]
impl Invoke for Neighbours {
    async fn invoke(
        &self,
        caller: &Caller,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        let (request, body) = read(request).await?;
        let seen = seen(target.app.as_str(), caller, &request, &body);
        let path = seen.path.clone();
        let asked = Asked {
            operation: "invocation.invoke",
            of: target.app.as_str(),
            key: &path,
            caller: Some(&caller.app),
        };
        let work = async {
            if self.canned.has(target.app.as_str()) {
                return answer(&self.canned, &self.probe, seen).await;
            }
            self.probe
                .journal
                .note(|records| records.invocations.push(seen));
            let request = request.map(|()| whole(body));
            let call = async {
                let response = self.runtime.invoke(caller, target, request).await?;
                let (parts, body) = response.into_parts();
                Ok(Response::from_parts(parts, whole(collect(body).await?)))
            };
            let called = self
                .probe
                .sites
                .within(&target.app, Work::Request, call)
                .await;
            called.unwrap_or_else(|| {
                let text = format!("app `{}`: the guest failed (trap)", target.app);
                Err(InvokeError::Unavailable(text))
            })
        };
        self.probe.call(asked, work).await
    }
}

#[async_trait]
impl Outside for ServicesOutside {
    async fn answer(
        &self,
        caller: &Caller,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        let (request, body) = read(request).await?;
        let scheme = request.uri().scheme_str().unwrap_or("http");
        let authority = request.uri().authority();
        let host = authority.map_or("", http::uri::Authority::as_str);
        let origin = format!("{scheme}://{host}").to_ascii_lowercase();
        let seen = seen(&origin, caller, &request, &body);
        let path = seen.path.clone();
        let asked = Asked {
            operation: "outside.request",
            of: &origin,
            key: &path,
            caller: Some(&caller.app),
        };
        let work = answer(&self.canned, &self.probe, seen);
        self.probe.call(asked, work).await
    }
}

/// A canned answer.
async fn answer(
    canned: &Canned,
    probe: &SharedProbe,
    mut seen: Invocation,
) -> Result<Response<Body>, InvokeError> {
    let answered = canned.answer(&seen);
    seen.repeated = matches!(answered, Some(Answered::With { repeated: true, .. }));
    let of = seen.of.clone();
    let asked = format!("{} {}", seen.method, seen.path);
    probe.journal.note(|records| records.invocations.push(seen));
    match answered {
        Some(Answered::With { answer, .. }) => {
            tokio::time::sleep(answer.after).await;
            response(&answer)
        }
        Some(Answered::NoRoute(routes)) => {
            let text = format!(
                "`{of}` has no canned answer to `{asked}`, but to {}",
                routes.join(", ")
            );
            tracing::warn!("{text}");
            Ok(plain(StatusCode::NOT_FOUND, text))
        }
        None => {
            let text = format!("`{of}` is not given: `given.outside` has no answers of it");
            tracing::warn!("{text}");
            Err(InvokeError::Undelivered(text))
        }
    }
}

fn response(answer: &CannedAnswer) -> Result<Response<Body>, InvokeError> {
    let wrong = |error: http::Error| InvokeError::Other(format!("canned answer: {error}"));
    let mut builder = Response::builder().status(answer.status);
    let body = answer.body.as_ref();
    let given = |name: HeaderName| {
        let mut headers = answer.headers.iter();
        headers.any(|(own, _)| own.eq_ignore_ascii_case(name.as_str()))
    };
    if let Some(kind) = body.and_then(|body| body.content_type())
        && !given(header::CONTENT_TYPE)
    {
        builder = builder.header(header::CONTENT_TYPE, kind);
    }
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    let bytes = body.map(|body| body.bytes()).unwrap_or_default();
    builder.body(whole(bytes.into())).map_err(wrong)
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(whole(text.into()));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

fn seen(of: &str, caller: &Caller, request: &Request<()>, body: &Bytes) -> Invocation {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    Invocation {
        of: of.to_owned(),
        caller: caller.app.clone(),
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().iter().map(text).collect(),
        body: body.clone(),
        repeated: false,
    }
}

async fn read(request: Request<Body>) -> Result<(Request<()>, Bytes), InvokeError> {
    let (parts, body) = request.into_parts();
    Ok((Request::from_parts(parts, ()), collect(body).await?))
}

/// All of a body.
pub(crate) async fn collect(body: Body) -> Result<Bytes, InvokeError> {
    let collected = body.collect().await;
    let collected = collected.map_err(|error| InvokeError::Unavailable(error.to_string()))?;
    Ok(collected.to_bytes())
}

/// A body that is there as a whole.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}
