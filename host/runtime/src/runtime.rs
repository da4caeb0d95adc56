//! The apps of a host and the calls into them.

use crate::{
    Surroundings,
    bindings::berth::exports::pubsub::subscriptions as wit,
    cache::{Cache, Compiled},
    delivery,
    engine::Compiler,
    failure::Failure,
    guest::{Ready, classify},
    http as guest_http,
    idle::IdleInstances,
    load::{LoadError, LoadedApp, Loader},
    platform::{Platform, Platforms},
    run::Run,
    served, spans,
    workflow::{Places, Versions},
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use berth_blocks::{
    Backends, Blocks, Caller, Deliver, Delivery, DeliveryOutcome, clock,
    invocation::{Body, Invoke, InvokeError, LocalApps, Target},
};
use berth_resources::{BulkSettings, Limits, Rule, Subscription};
use berth_telemetry::trace::{Span, Trace};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How a runtime is set up.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// Private directory of compiled guests.
    pub cache_dir: PathBuf,
    /// Instances of all apps together; fixed while the host runs.
    pub instances: u32,
    /// The compiler that is preferred.
    pub compiler: Compiler,
}

/// Engines and compiled guests, which several runtimes of a process may share. Cheap to clone.
#[derive(Clone)]
pub struct GuestEngines(Arc<Shared>);

struct Shared {
    platforms: Platforms,
    cache: Cache,
}

impl GuestEngines {
    /// Makes nothing yet: an engine is made for the first guest that needs it.
    ///
    /// # Errors
    /// The cache directory cannot be used.
    pub fn new(options: &RuntimeOptions) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Shared {
            platforms: Platforms::new(options.instances, options.compiler),
            cache: Cache::open(&options.cache_dir)?,
        })))
    }

    /// The same, and begins to make the engine for most guests: that takes a moment, which others can use.
    ///
    /// # Errors
    /// The cache directory cannot be used.
    pub fn begin(options: &RuntimeOptions) -> anyhow::Result<Self> {
        let engines = Self::new(options)?;
        let early = engines.clone();
        // Without a thread, and where no engine can be made, the first guest that is loaded finds out.
        let _ = thread::Builder::new()
            .name("engine".into())
            .spawn(move || drop(early.0.platforms.usual()));
        Ok(engines)
    }

    /// Compiles a guest, or takes it from the cache.
    pub(crate) fn compile(&self, guest: &[u8]) -> anyhow::Result<(Arc<Platform>, Compiled)> {
        self.0.platforms.compile(&self.0.cache, guest)
    }
}

/// The guests of one host.
pub struct Runtime {
    loader: Arc<Loader>,
    apps: ArcSwap<HashMap<Target, LoadedApp>>,
    pool: Arc<Semaphore>,
    places: Arc<Places>,
    versions: Versions,
    instances: u32,
    draining: AtomicBool,
}

impl Runtime {
    /// A runtime that has these engines, made for so many instances, for itself. Call it within a tokio runtime.
    #[must_use]
    pub fn new(engines: GuestEngines, instances: u32, blocks: Blocks) -> Arc<Self> {
        let runtime = Self::on(engines, instances, blocks, Surroundings::default());
        let idle = Arc::downgrade(&runtime.loader.idle);
        tokio::spawn(IdleInstances::sweep(idle));
        runtime
    }

    /// A runtime on engines that others may use as well, with at most so many instances of its own. Instances that wait
    /// for another call are dropped only when their places are needed.
    #[must_use]
    pub fn on(
        engines: GuestEngines,
        instances: u32,
        blocks: Blocks,
        surroundings: Surroundings,
    ) -> Arc<Self> {
        let pool = Arc::new(Semaphore::new(instances as usize));
        let loader = Loader {
            engines,
            blocks,
            pool: pool.clone(),
            idle: Arc::default(),
            surroundings,
        };
        Arc::new(Self {
            loader: Arc::new(loader),
            apps: ArcSwap::default(),
            versions: Versions::default(),
            places: Places::new(instances, pool.clone()),
            pool,
            instances,
            draining: AtomicBool::new(false),
        })
    }

    /// Reads, compiles (or takes from the cache) and links a guest whose imports these backends are to serve. Nothing is
    /// called yet and nothing is swapped.
    ///
    /// # Errors
    /// All problems of this app at once.
    pub async fn load(
        &self,
        app: &berth_resources::App,
        backends: &Arc<Backends>,
    ) -> Result<LoadedApp, LoadError> {
        let (loader, manifest, backends) = (self.loader.clone(), app.clone(), backends.clone());
        let loaded = tokio::task::spawn_blocking(move || loader.load(&manifest, &backends)).await;
        loaded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Puts a whole set of apps in the place of the present one. Calls in flight finish where they began.
    pub fn swap(&self, apps: Vec<LoadedApp>) {
        let apps = apps.into_iter().map(|app| (target(&app), app)).collect();
        let before = self.apps.swap(Arc::new(apps));
        for app in before.values() {
            app.guest().retire(Duration::ZERO);
        }
    }

    /// The apps, by namespace and app ID.
    #[must_use]
    pub fn apps(&self) -> Vec<LoadedApp> {
        let mut apps: Vec<_> = self.apps.load().values().cloned().collect();
        apps.sort_by(|one, other| key(one).cmp(&key(other)));
        apps
    }

    /// One app.
    #[must_use]
    pub fn app(&self, target: &Target) -> Option<LoadedApp> {
        self.apps.load().get(target).cloned()
    }

    /// Sets who is asked to give up workflow instances that only wait, and how many, when others need their places.
    pub fn on_shortage(&self, release: impl Fn(usize) + Send + Sync + 'static) {
        self.places.on_shortage(release);
    }

    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Serves one request from outside. Never fails: what goes wrong is a response with its reason.
    pub async fn handle(&self, target: &Target, mut request: Request<Body>) -> Response<Body> {
        let Some(app) = self.app(target) else {
            return Failure::NoHttp.response(&Limits::default());
        };
        let limits = &app.app().limits;
        let (method, began) = (served::label(request.method()), Instant::now());
        let (trace, span) = spans::serve(&app.guest().context, &mut request);
        let caller = Arc::new(Caller {
            namespace: target.namespace.clone(),
            app: target.app.clone(),
            trace,
            deadline: clock::instant() + limits.timeout,
        });
        let response = match self.call(&app, caller.clone(), request, span).await {
            Ok(response) => response,
            Err(failure) => {
                app.guest().context.record(&failure, &caller);
                failure.response(limits)
            }
        };
        let served = &app.guest().context.served;
        served.note(method, response.status(), began);
        response
    }

    async fn call(
        &self,
        app: &LoadedApp,
        caller: Arc<Caller>,
        request: Request<Body>,
        span: Span,
    ) -> Result<Response<Body>, Failure> {
        let admitted = if self.draining.load(Ordering::Relaxed) {
            Err(Failure::Draining)
        } else {
            with_host(request, &caller)
        };
        let request = admitted.inspect_err(|failure| spans::failed(&span, failure))?;
        guest_http::handle(app.guest(), caller, request, span).await
    }

    /// The subscriptions that a guest declares in code. It is asked before it is in service, and so with the backends
    /// that it is going to have.
    ///
    /// # Errors
    /// The guest failed while it was asked.
    pub async fn declared_subscriptions(
        &self,
        app: &LoadedApp,
        backends: &Arc<Backends>,
    ) -> Result<Vec<Subscription>, String> {
        let Some(indices) = app.guest().exports.subscriptions.clone() else {
            return Ok(Vec::new());
        };
        let declared = self
            .ask(app, backends, move |ready| {
                Box::pin(async move {
                    let subscriptions = indices.load(&mut ready.store, &ready.instance)?;
                    subscriptions.call_declare(&mut ready.store).await
                })
            })
            .await?;
        Ok(declared
            .into_iter()
            .map(|found| subscription(found, app.app()))
            .collect())
    }

    /// Asks a guest something about itself, in an instance of its own whose imports reach these backends.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        app: &LoadedApp,
        backends: &Arc<Backends>,
        question: impl for<'r> FnOnce(&'r mut Ready) -> BoxFuture<'r, wasmtime::Result<T>>
        + Send
        + 'static,
    ) -> Result<T, String> {
        let guest = app.guest().clone();
        let manifest = app.app();
        let caller = Arc::new(Caller {
            namespace: manifest.namespace.clone(),
            app: manifest.id.clone(),
            trace: Trace::generate(),
            deadline: clock::instant() + manifest.limits.timeout,
        });
        let explain = |failure: Failure| {
            format!(
                "{}: {}",
                failure.message(&manifest.limits),
                failure.detail()
            )
        };
        let permit = guest
            .context
            .gate
            .enter(caller.deadline)
            .await
            .map_err(explain)?;
        let blocks = guest.context.blocks.preview(backends.clone());
        let mut prepared = guest
            .prepare_alone(caller.clone(), blocks)
            .map_err(explain)?;
        let cpu = prepared.store().data().meter.cpu.clone();
        let (send, receive) = tokio::sync::oneshot::channel();
        let work = async move {
            let mut ready = guest.ready(prepared).await?;
            let answer = question(&mut ready).await;
            let answer =
                answer.map_err(|error| classify(&error, ready.store.data(), Failure::Trap))?;
            let _ = send.send(answer);
            Ok(())
        };
        Run::new(Box::pin(work), cpu, caller.deadline, permit)
            .await
            .map_err(explain)?;
        receive.await.map_err(|_| "it gave no answer".to_owned())
    }

    /// Refuses new calls and waits for those in flight, at most `limit`. Returns how many were left.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.draining.store(true, Ordering::Relaxed);
        let all = self.pool.acquire_many(self.instances);
        match tokio::time::timeout(limit, all).await {
            Ok(_) => 0,
            Err(_) => (self.instances as usize).saturating_sub(self.pool.available_permits()),
        }
    }
}

fn key(app: &LoadedApp) -> (&str, &str) {
    (app.app().namespace.as_str(), app.app().id.as_str())
}

fn target(app: &LoadedApp) -> Target {
    Target {
        namespace: app.app().namespace.clone(),
        app: app.app().id.clone(),
    }
}

fn subscription(declared: wit::Subscription, app: &berth_resources::App) -> Subscription {
    Subscription {
        name: format!("{}/{}/{}", app.id, declared.pubsub, declared.topic),
        namespace: app.namespace.clone(),
        pubsub: declared.pubsub,
        topic: declared.topic,
        rules: declared
            .rules
            .into_iter()
            .map(|rule| Rule {
                expression: rule.match_,
                path: rule.path,
            })
            .collect(),
        default_route: declared.default_route,
        dead_letter_topic: declared.dead_letter_topic,
        bulk: declared.bulk.filter(|bulk| bulk.enabled).map(|bulk| {
            BulkSettings::declared(bulk.max_messages_count, bulk.max_await_duration_ms)
        }),
        metadata: declared.metadata,
        in_code: true,
        scopes: vec![app.id.clone()],
        pubsub_origin: app.origin.clone(),
        origin: app.origin.clone(),
    }
}

/// WASI needs an authority; a request of another guest or of an old client may have none.
fn with_host(mut request: Request<Body>, caller: &Caller) -> Result<Request<Body>, Failure> {
    if request.uri().authority().is_none() && !request.headers().contains_key(header::HOST) {
        let host = HeaderValue::from_str(caller.app.as_str())
            .map_err(|error| Failure::BadRequest(error.to_string()))?;
        request.headers_mut().insert(header::HOST, host);
    }
    let readable = request
        .headers()
        .get(header::HOST)
        .is_none_or(|host| host.to_str().is_ok());
    if readable {
        Ok(request)
    } else {
        Err(Failure::BadRequest("the Host header is not text".into()))
    }
}

#[async_trait]
impl Invoke for Runtime {
    async fn invoke(
        &self,
        caller: &Caller,
        target: &Target,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        let Some(app) = self.app(target) else {
            return Err(InvokeError::NotFound(format!(
                "no app `{}` in namespace `{}`",
                target.app, target.namespace
            )));
        };
        let limits = &app.app().limits;
        identify(&mut request, caller, target);
        let (method, began) = (served::label(request.method()), Instant::now());
        let (trace, span) = spans::serve(&app.guest().context, &mut request);
        let own = Arc::new(Caller {
            namespace: target.namespace.clone(),
            app: target.app.clone(),
            trace,
            // A call never outlives the one that waits for it.
            deadline: (clock::instant() + limits.timeout).min(caller.deadline),
        });
        let called = self.call(&app, own.clone(), request, span).await;
        let status = called
            .as_ref()
            .map_or_else(Failure::status, Response::status);
        app.guest().context.served.note(method, status, began);
        called.map_err(|failure| {
            app.guest().context.record(&failure, &own);
            let text = format!(
                "app `{}`: {} ({})",
                target.app,
                failure.message(limits),
                failure.reason()
            );
            match failure {
                Failure::WallTime | Failure::CpuTime => InvokeError::Timeout(text),
                Failure::NoHttp => InvokeError::NotFound(text),
                Failure::RequestBody | Failure::ResponseBody => InvokeError::TooLarge(text),
                Failure::BadRequest(_) => InvokeError::Invalid(text),
                // No instance has begun with it.
                Failure::Overloaded | Failure::Draining | Failure::Instantiation(_) => {
                    InvokeError::Undelivered(text)
                }
                _ => InvokeError::Unavailable(text),
            }
        })
    }
}

impl LocalApps for Runtime {
    fn serves(&self, target: &Target) -> bool {
        self.apps.load().contains_key(target)
    }
}

/// Dapr's headers for a call between apps; what the caller wrote there itself does not count.
fn identify(request: &mut Request<Body>, caller: &Caller, target: &Target) {
    let names = [
        ("dapr-caller-app-id", caller.app.as_str()),
        ("dapr-caller-namespace", caller.namespace.as_str()),
        ("dapr-callee-app-id", target.app.as_str()),
    ];
    for (name, value) in names {
        if let Ok(value) = HeaderValue::from_str(value) {
            request.headers_mut().insert(name, value);
        }
    }
    caller.trace.inject(request.headers_mut());
}

#[async_trait]
impl Deliver for Runtime {
    async fn deliver(&self, target: &Target, message: Delivery) -> DeliveryOutcome {
        let Some(app) = self.receiver(target) else {
            return DeliveryOutcome::Busy;
        };
        let caller = receives(&app, message.trace.clone());
        delivery::deliver(app.guest(), caller, message).await
    }

    async fn deliver_batch(&self, target: &Target, batch: Vec<Delivery>) -> Vec<DeliveryOutcome> {
        let Some(app) = self.receiver(target) else {
            return vec![DeliveryOutcome::Busy; batch.len()];
        };
        let (trace, _span) = match batch.as_slice() {
            [alone] => (alone.trace.clone(), Span::none()),
            many => spans::batch(&app.guest().context, many),
        };
        delivery::bulk::deliver(app.guest(), receives(&app, trace), &batch).await
    }
}

impl Runtime {
    /// The app that messages are for; `None`: not now.
    fn receiver(&self, target: &Target) -> Option<LoadedApp> {
        if self.draining.load(Ordering::Relaxed) {
            return None;
        }
        self.app(target)
    }
}

/// The call that brings messages to an app.
fn receives(app: &LoadedApp, trace: Trace) -> Arc<Caller> {
    let app = app.app();
    Arc::new(Caller {
        namespace: app.namespace.clone(),
        app: app.id.clone(),
        trace,
        deadline: clock::instant() + app.limits.timeout,
    })
}
