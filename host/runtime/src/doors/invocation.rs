//! `berth:invocation/invoker`: whole bodies over the streaming block.

use crate::{
    bindings::berth::invocation::invoker as wit,
    body::{self, ReadError},
    instance::GuestState,
};
use berth_blocks::{
    Caller, clock,
    invocation::{self as block, InvokeError},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use std::{sync::Arc, time::Duration};

impl wit::Host for GuestState {
    async fn invoke(
        &mut self,
        app_id: String,
        request: wit::Request,
    ) -> wasmtime::Result<Result<wit::Response, wit::Error>> {
        let limit = usize::try_from(self.app.app.limits.memory.0 / 2).unwrap_or(usize::MAX);
        let patience = request
            .timeout_ms
            .map(|ms| Duration::from_millis(ms.into()));
        let invoker = self.blocks.invoker(&patient(&self.caller, patience));
        let call = async {
            let response = invoker.invoke(&app_id, outgoing(request)?).await?;
            incoming(response, limit).await
        };
        let answer = match patience {
            None => call.await,
            Some(patience) => tokio::time::timeout(patience, call)
                .await
                .unwrap_or_else(|_| {
                    Err(InvokeError::Timeout(format!(
                        "app `{app_id}` gave no answer within {patience:?}"
                    )))
                }),
        };
        Ok(answer.map_err(Into::into))
    }
}

/// The caller with no more time than it wants to give the call: retries end with it.
fn patient(caller: &Arc<Caller>, patience: Option<Duration>) -> Arc<Caller> {
    let Some(patience) = patience else {
        return caller.clone();
    };
    Arc::new(Caller {
        deadline: caller.deadline.min(clock::instant() + patience),
        ..Caller::clone(caller)
    })
}

fn outgoing(request: wit::Request) -> Result<Request<block::Body>, InvokeError> {
    let invalid =
        |what: &str, why: &dyn std::fmt::Display| InvokeError::Invalid(format!("{what}: {why}"));
    let verb = Method::from_bytes(request.verb.as_bytes())
        .map_err(|e| invalid(&format!("verb `{}`", request.verb), &e))?;
    let mut path = format!("/{}", request.method.trim_start_matches('/'));
    if let Some(query) = request.query.filter(|query| !query.is_empty()) {
        path.push('?');
        path.push_str(&query);
    }
    let uri: Uri = path
        .parse()
        .map_err(|e| invalid(&format!("method `{path}`"), &e))?;
    let body = Full::new(Bytes::from(request.body))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = verb;
    *outgoing.uri_mut() = uri;
    for (name, value) in request.headers {
        let header: HeaderName = name
            .parse()
            .map_err(|e| invalid(&format!("header `{name}`"), &e))?;
        let value = HeaderValue::from_str(&value)
            .map_err(|e| invalid(&format!("value of header `{name}`"), &e))?;
        outgoing.headers_mut().append(header, value);
    }
    Ok(outgoing)
}

async fn incoming(
    response: Response<block::Body>,
    limit: usize,
) -> Result<wit::Response, InvokeError> {
    let (parts, body) = response.into_parts();
    let body = body::read(body, limit).await.map_err(|error| match error {
        ReadError::TooLarge => InvokeError::TooLarge(format!(
            "the answer is larger than {limit} bytes, half of the app's memory: stream it"
        )),
        ReadError::Broken(error) => {
            InvokeError::Unavailable(format!("the answer broke off: {error}"))
        }
    })?;
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    let headers = parts.headers.iter().map(text).collect();
    Ok(wit::Response {
        status: parts.status.as_u16(),
        headers,
        body: body.into(),
    })
}

impl From<InvokeError> for wit::Error {
    fn from(error: InvokeError) -> Self {
        use InvokeError as E;
        match error {
            E::NotFound(text) => Self::NotFound(text),
            E::Denied(text) => Self::Denied(text),
            E::Invalid(text) => Self::Invalid(text),
            E::Undelivered(text) | E::Unavailable(text) => Self::Unavailable(text),
            E::Timeout(text) => Self::Timeout(text),
            E::TooLarge(text) => Self::TooLarge(text),
            E::Other(text) => Self::Other(text),
        }
    }
}
