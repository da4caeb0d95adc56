//! From a manifest to a guest that can be called, or to all reasons why not.

use crate::{
    Exports, Surroundings,
    app::AppContext,
    cache::{self, Compiled},
    guest::Guest,
    idle::IdleInstances,
    imports,
    runtime::GuestEngines,
    script::{self, Parts},
    workflow::workflow_pre,
};
use berth_blocks::{Backends, Blocks};
use berth_resources::{App, ByteSize, Diagnostic, Severity};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use wasmtime::{Engine, component::Component};

/// Why an app cannot run: every problem at once.
#[derive(Debug, Clone)]
pub struct LoadError(Vec<Diagnostic>);

impl LoadError {
    /// The problems, each at the place where the App document names the guest.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for LoadError {}

/// An app that can be called. Cheap to clone.
#[derive(Clone)]
pub struct LoadedApp(Arc<Inner>);

struct Inner {
    guest: Arc<Guest>,
    load_time: Duration,
    from_cache: bool,
    digest: String,
}

/// What an app does right now, and has done since the host loaded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppUsage {
    /// Calls that run.
    pub in_flight: u32,
    /// Calls that wait for admission.
    pub queued: u32,
    /// Calls that were admitted.
    pub calls: u64,
    /// Calls that a limit or a fault ended.
    pub failures: u64,
}

impl LoadedApp {
    /// Its manifest.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.0.guest.context.app
    }

    /// What its guest is.
    #[must_use]
    pub fn exports(&self) -> Exports {
        self.0.guest.exports.summary()
    }

    /// What it does.
    #[must_use]
    pub fn usage(&self) -> AppUsage {
        let context = &self.0.guest.context;
        AppUsage {
            in_flight: context.gate.running(),
            queued: context.gate.waiting(),
            calls: context.calls.load(Ordering::Relaxed),
            failures: context.failures.load(Ordering::Relaxed),
        }
    }

    /// How long reading, compiling and linking took.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        self.0.load_time
    }

    /// Whether the compiled form came from the cache.
    #[must_use]
    pub fn from_cache(&self) -> bool {
        self.0.from_cache
    }

    /// SHA-256 of the guest, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    pub(crate) fn guest(&self) -> &Arc<Guest> {
        &self.0.guest
    }
}

/// What loading needs of the host.
pub(crate) struct Loader {
    pub(crate) engines: GuestEngines,
    pub(crate) blocks: Blocks,
    pub(crate) pool: Arc<Semaphore>,
    pub(crate) idle: Arc<IdleInstances>,
    pub(crate) surroundings: Surroundings,
}

impl Loader {
    /// Blocking: reads the file and compiles it where the cache has no compiled form.
    pub(crate) fn load(&self, app: &App, backends: &Backends) -> Result<LoadedApp, LoadError> {
        let began = Instant::now();
        let bytes = std::fs::read(&app.guest).map_err(|error| {
            one(
                app,
                format!("guest `{}` cannot be read: {error}", app.guest.display()),
                None,
            )
        })?;
        check_format(app, &bytes)?;
        let Parts { code, script } = script::parts(&bytes);
        let compiled = self.engines.compile(code);
        let (platform, compiled) = compiled.map_err(|error| {
            one(
                app,
                format!(
                    "guest `{}` does not compile: {error:#}",
                    app.guest.display()
                ),
                None,
            )
        })?;
        let Compiled {
            component,
            from_cache,
            digest: code_digest,
        } = compiled;
        let digest = match script {
            None => code_digest.clone(),
            Some(_) => cache::digest(&bytes),
        };
        check_script(app, &platform.engine, &component, script)?;
        check_imports(app, backends, &platform.engine, &component)?;
        check_memory(app, &component)?;
        let pre = platform
            .linker
            .instantiate_pre(&component)
            .map_err(|error| {
                one(
                    app,
                    format!(
                        "guest `{}` cannot be linked: {error:#}",
                        app.guest.display()
                    ),
                    None,
                )
            })?;
        let context = AppContext::new(
            app.clone(),
            script.map(str::to_owned),
            self.blocks.clone(),
            self.pool.clone(),
            self.idle.clone(),
            self.surroundings.clone(),
        );
        let workflow_pre = || workflow_pre(platform.workflow_linker()?, &component);
        let guest =
            Guest::new(Arc::new(context), code_digest, pre, workflow_pre).map_err(|error| {
                one(
                    app,
                    format!(
                        "guest `{}` cannot be linked for workflows: {error:#}",
                        app.guest.display()
                    ),
                    None,
                )
            })?;
        let guest = Arc::new(guest);
        if app.instances.reuse > 1 {
            self.idle.watch(&guest);
        }
        if !guest.exports.summary().is_called() {
            return Err(no_exports(app, &platform.engine, &component));
        }
        Ok(LoadedApp(Arc::new(Inner {
            guest,
            load_time: began.elapsed(),
            from_cache,
            digest,
        })))
    }
}

fn check_imports(
    app: &App,
    backends: &Backends,
    engine: &Engine,
    component: &Component,
) -> Result<(), LoadError> {
    let unserved = imports::unserved(engine, component, app, backends);
    if unserved.is_empty() {
        return Ok(());
    }
    let problem = |found: imports::Unserved| {
        diagnostic(
            app,
            format!("guest of app `{}` {}", app.id, found.message),
            found.hint,
        )
    };
    Err(LoadError(unserved.into_iter().map(problem).collect()))
}

fn check_script(
    app: &App,
    engine: &Engine,
    component: &Component,
    script: Option<&str>,
) -> Result<(), LoadError> {
    if script.is_some() || !script::is_wanted(engine, component) {
        return Ok(());
    }
    Err(one(
        app,
        format!(
            "guest of app `{}` is an engine without a program: the custom section `berth:script` is not at the end of \
             its file",
            app.id
        ),
        Some(
            "build it again with `berth build`; tools that change a component may lose the section",
        ),
    ))
}

/// Tells a component from what people mistake for one. The first eight bytes are magic, version and layer.
fn check_format(app: &App, bytes: &[u8]) -> Result<(), LoadError> {
    let path = app.guest.display();
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(one(
            app,
            format!("guest `{path}` is a core Wasm module, not a component"),
            Some("build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"),
        )),
        Some([0, b'a', b's', b'm', ..]) => Err(one(
            app,
            format!("guest `{path}` has a Wasm version that berth does not know"),
            None,
        )),
        _ => Err(one(
            app,
            format!("guest `{path}` is not WebAssembly: it does not begin with `\\0asm`"),
            Some("`spec.guest` names the compiled component, a `.wasm` file"),
        )),
    }
}

/// A guest that can never be instantiated within its limit is refused now, with the number that would do.
fn check_memory(app: &App, component: &Component) -> Result<(), LoadError> {
    const PAGE: u64 = 64 << 10;
    let Some(required) = component.resources_required() else {
        return Ok(());
    };
    let needed = required
        .max_initial_memory_size
        .unwrap_or(0)
        .saturating_mul(PAGE);
    if needed <= app.limits.memory.0 {
        return Ok(());
    }
    let (needed, limit) = (ByteSize(needed), app.limits.memory);
    Err(one(
        app,
        format!(
            "guest of app `{}` begins with {needed} of memory, its limit is {limit} (limits.memory)",
            app.id
        ),
        Some("raise `spec.limits.memory`"),
    ))
}

fn no_exports(app: &App, engine: &Engine, component: &Component) -> LoadError {
    let types = component.component_type();
    let exports: Vec<_> = types
        .exports(engine)
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let has = if exports.is_empty() {
        "nothing".to_owned()
    } else {
        exports.join(", ")
    };
    one(
        app,
        format!(
            "guest of app `{}` exports {has}: nothing that berth calls",
            app.id
        ),
        Some(
            "export wasi:http/incoming-handler@0.2 or wasi:http/handler@0.3 to answer HTTP, \
             berth:pubsub/subscriber to receive messages, berth:workflow/workflows or activities to run them",
        ),
    )
}

fn one(app: &App, message: String, hint: Option<&str>) -> LoadError {
    LoadError(vec![diagnostic(app, message, hint.map(Into::into))])
}

fn diagnostic(app: &App, message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic {
        origin: app.guest_origin.clone(),
        severity: Severity::Error,
        message,
        hint,
    }
}
