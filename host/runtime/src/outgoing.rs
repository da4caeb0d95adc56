//! Outgoing HTTP of a guest, both WASI versions: service invocation, or the manifest's allow list.

use crate::{app::AppContext, egress};
use berth_blocks::{
    Caller,
    invocation::{Body, BodyError, InvokeError},
};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use std::{future::Future, sync::Arc, time::Duration};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// How long a guest waits for the head of an answer if it names no time itself. Its own limits hold as well.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// The hooks of one instance.
pub(crate) struct Outgoing {
    app: Arc<AppContext>,
    caller: Arc<Caller>,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

impl Outgoing {
    pub(crate) fn new(app: Arc<AppContext>, caller: Arc<Caller>) -> Self {
        Self { app, caller }
    }

    pub(crate) fn serve(&mut self, caller: Arc<Caller>) {
        self.caller = caller;
    }
}

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        processed: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        // Told to the guest only when the answer fails to be processed, which shows in the body here.
        drop(processed);
        let (app, caller) = (self.app.clone(), self.caller.clone());
        Box::new(async move {
            let patience = options
                .and_then(|options| options.first_byte_timeout)
                .unwrap_or(FIRST_BYTE);
            let sent = tokio::time::timeout(patience, send(&app, &caller, request)).await;
            let response = sent.unwrap_or(Err(Error::ConnectionReadTimeout))?;
            let done: Io = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}

async fn send(
    app: &AppContext,
    caller: &Arc<Caller>,
    request: Request<WasiBody>,
) -> Result<Response<WasiBody>, Error> {
    if app
        .app
        .allow
        .outbound
        .iter()
        .any(|rule| egress::permits(rule, request.uri()))
    {
        return match &app.surroundings.outside {
            None => app.egress.send(request, &caller.trace).await,
            Some(outside) => answered(outside.answer(caller, plain(request)).await),
        };
    }
    match app_of(request.uri(), caller) {
        Some(target) => invoke(app, caller, &target, request).await,
        None => {
            tracing::warn!(
                app = %caller.app, namespace = %caller.namespace, reason = "egress", uri = %origin(request.uri()),
                "outgoing request denied: add the destination to allow.outbound of the app"
            );
            Err(Error::HttpRequestDenied)
        }
    }
}

/// The app that a URL names: `http://<app>/...` or `http://<app>.<namespace>/...`, without a port.
fn app_of(uri: &Uri, caller: &Caller) -> Option<String> {
    if uri.scheme_str() != Some("http") || uri.port().is_some() {
        return None;
    }
    let host = uri.host()?;
    let name = host
        .strip_suffix(&format!(".{}", caller.namespace))
        .unwrap_or(host);
    (!name.contains('.') && name != "localhost" && !name.starts_with('[')).then(|| host.to_owned())
}

/// Where a request goes, without the path that may hold secrets.
fn origin(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or("?"),
        uri.authority().map_or("?", |authority| authority.as_str())
    )
}

async fn invoke(
    app: &AppContext,
    caller: &Arc<Caller>,
    target: &str,
    request: Request<WasiBody>,
) -> Result<Response<WasiBody>, Error> {
    let invoker = app.blocks.invoker(caller);
    answered(invoker.invoke(target, plain(request)).await)
}

/// A request as the blocks carry it.
fn plain(request: Request<WasiBody>) -> Request<Body> {
    request.map(|body| {
        body.map_err(|error| BodyError::from(error.to_string()))
            .boxed_unsync()
    })
}

/// An answer of the blocks, as WASI tells it.
fn answered(answer: Result<Response<Body>, InvokeError>) -> Result<Response<WasiBody>, Error> {
    match answer {
        Ok(response) => Ok(response.map(|body| {
            body.map_err(|error| Error::InternalError(Some(error.to_string())))
                .boxed_unsync()
        })),
        Err(InvokeError::NotFound(_)) => Err(Error::DestinationNotFound),
        Err(InvokeError::Denied(_)) => Err(Error::HttpRequestDenied),
        Err(InvokeError::Undelivered(_) | InvokeError::Unavailable(_)) => {
            Err(Error::DestinationUnavailable)
        }
        Err(InvokeError::Timeout(_)) => Err(Error::ConnectionReadTimeout),
        Err(InvokeError::TooLarge(_)) => Err(Error::HttpRequestBodySize(None)),
        Err(error) => Err(Error::InternalError(Some(error.to_string()))),
    }
}
