//! What happens in a world.

use super::{fixed::Fixed, life::Life};
use crate::{
    neighbours::{collect, whole},
    site::Work,
};
use berth_blocks::{
    Block, Message, PublishOptions,
    invocation::{Body, InvokeError},
    workflow::{Payload as WorkflowPayload, StartOptions},
};
use berth_resources::{
    AppId,
    scenario::{Action, Instance, Payload, Publish, RequestSpec, Start},
};
use bytes::Bytes;
use futures::{
    FutureExt,
    future::{LocalBoxFuture, join_all},
};
use http::{Request, Response, header};
use serde_json::Value;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// Nothing that could be looked at.
    Nothing,
    /// An answer.
    Answer(Answer),
    /// Several of these, in the order of the steps.
    Together(Vec<Result<Self, String>>),
    /// The host ended before there was an answer.
    Crashed,
}

/// Makes one thing happen. Faults of the scenario itself, such as a topic that nobody has, are errors.
pub(super) fn act<'a>(
    fixed: &'a Fixed,
    life: &'a Life,
    action: &'a Action,
) -> LocalBoxFuture<'a, Result<Done, String>> {
    async move {
        match action {
            Action::Request(request) => from_outside(fixed, life, request).await,
            Action::Invoke(request) => invoke(fixed, life, request).await,
            Action::Publish(message) => publish(fixed, life, message).await,
            Action::Start(start) => begin(fixed, life, start).await,
            Action::Together(steps) => {
                let actions = steps.iter().map(|step| act(fixed, life, &step.action));
                Ok(Done::Together(join_all(actions).await))
            }
            Action::Pass(duration) => {
                tokio::time::sleep(*duration).await;
                Ok(Done::Nothing)
            }
            action => signal(fixed, life, action).await,
        }
    }
    .boxed_local()
}

async fn from_outside(fixed: &Fixed, life: &Life, spec: &RequestSpec) -> Result<Done, String> {
    let request = request(spec)?;
    let path = request.uri().path().to_owned();
    let target = match &spec.app {
        Some(app) => fixed.target(Some(app)),
        None => {
            let host = request.headers().get(header::HOST);
            let host = host.and_then(|host| host.to_str().ok());
            match life.routes.target(host, &path) {
                Some(target) => target.clone(),
                // An app without routes is tested, too.
                None if life.runtime.apps().len() == 1 => fixed.target(None),
                None => return Ok(Done::Answer(nothing_there())),
            }
        }
    };
    if life.runtime.app(&target).is_none() {
        return Err(format!("there is no app `{}` to ask", target.app));
    }
    let call = async {
        let response = life.runtime.handle(&target, request).await;
        answer(response).await
    };
    let called = fixed
        .probe
        .sites
        .within(&target.app, Work::Request, call)
        .await;
    called.unwrap_or_else(|| Ok(killed())).map(Done::Answer)
}

/// What the ingress answers where no app is.
fn nothing_there() -> Answer {
    Answer {
        status: 404,
        headers: vec![("berth-reason".to_owned(), "no-route".to_owned())],
        body: Bytes::from_static(b"{\"errorCode\":\"ERR_NO_ROUTE\"}"),
    }
}

/// What the host answers for a guest that was killed.
fn killed() -> Answer {
    let body = r#"{"errorCode":"ERR_GUEST_TRAP","message":"the guest failed"}"#;
    Answer {
        status: 500,
        headers: vec![("berth-reason".to_owned(), "trap".to_owned())],
        body: Bytes::from_static(body.as_bytes()),
    }
}

async fn invoke(fixed: &Fixed, life: &Life, spec: &RequestSpec) -> Result<Done, String> {
    let target = fixed.target(spec.app.as_ref());
    let caller = fixed.caller(spec.caller.as_ref());
    let request = request(spec)?;
    let called = life.blocks.invoker(&caller);
    let called = called.invoke(target.app.as_str(), request);
    let called = fixed.probe.sites.aside(&caller.app, called).await;
    match called {
        Ok(response) => answer(response).await.map(Done::Answer),
        Err(error) => Ok(Done::Answer(refused(&error))),
    }
}

/// A call that got no answer, with the status that Dapr's API gives it.
fn refused(error: &InvokeError) -> Answer {
    let status = match error {
        InvokeError::Invalid(_) => 400,
        InvokeError::Denied(_) => 403,
        InvokeError::NotFound(_) => 404,
        InvokeError::TooLarge(_) => 413,
        InvokeError::Timeout(_) => 504,
        _ => 500,
    };
    Answer {
        status,
        headers: Vec::new(),
        body: error.to_string().into(),
    }
}

fn request(spec: &RequestSpec) -> Result<Request<Body>, String> {
    let bytes = spec.body.as_ref().map(Payload::bytes).unwrap_or_default();
    let mut builder = Request::builder()
        .method(spec.method.as_str())
        .uri(&spec.path);
    let given = |name: &str| {
        let mut headers = spec.headers.iter();
        headers.any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    if !given("host") {
        builder = builder.header(header::HOST, "localhost");
    }
    if let Some(kind) = spec.body.as_ref().and_then(Payload::content_type)
        && !given("content-type")
    {
        builder = builder.header(header::CONTENT_TYPE, kind);
    }
    if !bytes.is_empty() && !given("content-length") {
        builder = builder.header(header::CONTENT_LENGTH, bytes.len());
    }
    for (name, value) in &spec.headers {
        builder = builder.header(name, value);
    }
    let request = builder.body(whole(bytes.into()));
    request.map_err(|error| format!("this is no request: {error}"))
}

async fn answer(response: Response<Body>) -> Result<Answer, String> {
    let (parts, body) = response.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let headers = headers.collect();
    let body = collect(body).await;
    let body = body.map_err(|error| format!("the answer broke off: {error}"))?;
    Ok(Answer {
        status: parts.status.as_u16(),
        headers,
        body,
    })
}

async fn publish(fixed: &Fixed, life: &Life, spec: &Publish) -> Result<Done, String> {
    let caller = fixed.caller(spec.caller.as_ref());
    let pubsub = match &spec.pubsub {
        Some(pubsub) => pubsub.clone(),
        None => only_broker(life, &caller.namespace, &caller.app)?,
    };
    let publisher = life.blocks.publisher(&caller, &pubsub);
    let content_type = spec.data.content_type().unwrap_or("text/plain");
    for _ in 0..spec.times {
        let message = Message {
            data: spec.data.bytes().into(),
            content_type: Some(content_type.to_owned()),
        };
        let options = PublishOptions {
            raw: spec.raw,
            metadata: spec.metadata.clone(),
            ..PublishOptions::default()
        };
        let published = publisher.publish(&spec.topic, message, options);
        let published = fixed.probe.sites.aside(&caller.app, published).await;
        published.map_err(|error| format!("the message was not published: {error}"))?;
    }
    Ok(Done::Nothing)
}

fn only_broker(
    life: &Life,
    namespace: &berth_resources::Namespace,
    app: &AppId,
) -> Result<String, String> {
    let visible = life.blocks.visible(namespace, app).into_iter();
    let mut brokers: Vec<_> = visible
        .filter(|backend| backend.block == Block::PubSub)
        .map(|backend| backend.name)
        .collect();
    match (brokers.pop(), brokers.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(format!("app `{app}` sees no pub/sub backend")),
        (Some(last), false) => {
            brokers.push(last);
            let names = brokers.join("`, `");
            Err(format!(
                "app `{app}` sees several pub/sub backends: say which with `pubsub`: `{names}`"
            ))
        }
    }
}

async fn begin(fixed: &Fixed, life: &Life, spec: &Start) -> Result<Done, String> {
    let caller = fixed.caller(spec.instance.app.as_ref());
    let workflows = life.blocks.workflows(&caller);
    let work = async {
        let key = workflows.key(None, &spec.instance.id)?;
        let input = payload(&spec.input);
        let options = StartOptions::default();
        workflows.start(&key, &spec.workflow, input, options).await
    };
    let started = fixed.probe.sites.aside(&caller.app, work).await;
    let started = started.map(|_| Done::Nothing);
    started.map_err(|error| format!("the workflow was not started: {error}"))
}

async fn signal(fixed: &Fixed, life: &Life, action: &Action) -> Result<Done, String> {
    const WHY: &str = "the scenario says so";
    let Some(Instance { app, id }) = whom(action) else {
        return Ok(Done::Nothing);
    };
    let caller = fixed.caller(app.as_ref());
    let workflows = life.blocks.workflows(&caller);
    let work = async {
        let key = workflows.key(None, id)?;
        match action {
            Action::Raise { event, data, .. } => {
                workflows
                    .raise_event(&key, event, payload(data), None)
                    .await
            }
            Action::Cancel(_) => workflows.cancel(&key, WHY).await,
            Action::Suspend(_) => workflows.suspend(&key, WHY).await,
            Action::Resume(_) => workflows.resume(&key, WHY).await,
            _ => workflows.terminate(&key, WHY, true).await,
        }
    };
    let done = fixed.probe.sites.aside(&caller.app, work).await;
    done.map(|()| Done::Nothing)
        .map_err(|error| error.to_string())
}

fn whom(action: &Action) -> Option<&Instance> {
    match action {
        Action::Raise { instance, .. }
        | Action::Cancel(instance)
        | Action::Suspend(instance)
        | Action::Resume(instance)
        | Action::Terminate(instance) => Some(instance),
        _ => None,
    }
}

fn payload(data: &Payload) -> WorkflowPayload {
    WorkflowPayload {
        data: data.bytes().into(),
        content_type: data.content_type().map(str::to_owned),
    }
}
