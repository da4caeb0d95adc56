//! What the host keeps for one instance of a guest: its WASI, its meter, and on whose behalf it runs now.

use crate::{
    app::AppContext,
    clocks::HostClock,
    logs::{GuestLog, Stream},
    meter::Meter,
    outgoing::Outgoing,
    workflow::{Clock, Seeded},
};
use berth_blocks::{Blocks, Caller};
use berth_workflow::Context;
use std::sync::Arc;
use wasmtime::{Engine, Store, component::ResourceTable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Entries of a resource table that one instance may hold: streams, requests, handles.
const RESOURCES_MAX: usize = 10_000;
/// Bytes of headers of one message, as wasmtime counts them.
const FIELDS_MAX: usize = 64 << 10;
/// Largest answer of `wasi:random` in one call.
const RANDOM_MAX: u64 = 1 << 20;

/// The data of one store.
pub(crate) struct GuestState {
    pub(crate) app: Arc<AppContext>,
    pub(crate) caller: Arc<Caller>,
    /// What its imports reach.
    pub(crate) blocks: Blocks,
    pub(crate) table: ResourceTable,
    pub(crate) meter: Meter,
    /// What a workflow can do, if the instance runs one.
    pub(crate) workflow: Option<Context>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    stdout: GuestLog,
    stderr: GuestLog,
}

impl GuestState {
    fn new(
        app: Arc<AppContext>,
        caller: Arc<Caller>,
        blocks: Blocks,
        workflow: Option<Context>,
    ) -> anyhow::Result<Self> {
        let stdout = GuestLog::new(
            app.log_budget.clone(),
            Stream::Stdout,
            caller.trace.context(),
        );
        let stderr = GuestLog::new(
            app.log_budget.clone(),
            Stream::Stderr,
            caller.trace.context(),
        );
        let wasi = match &workflow {
            None => wasi(&app, &stdout, &stderr)?,
            Some(context) => repeatable_wasi(context, &stdout, &stderr),
        };
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_MAX);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let meter = Meter::new(&app.app.limits);
        let outgoing = Outgoing::new(app.clone(), caller.clone());
        Ok(Self {
            app,
            caller,
            blocks,
            table,
            meter,
            workflow,
            wasi,
            http,
            outgoing,
            stdout,
            stderr,
        })
    }

    /// Turns a used instance to another call.
    pub(crate) fn serve(&mut self, caller: Arc<Caller>) {
        self.meter.restart();
        self.stdout.serve(caller.trace.context());
        self.stderr.serve(caller.trace.context());
        self.outgoing.serve(caller.clone());
        self.caller = caller;
    }
}

impl Drop for GuestState {
    fn drop(&mut self) {
        self.stdout.finish();
        self.stderr.finish();
    }
}

/// A store for one instance.
pub(crate) fn store(
    engine: &Engine,
    app: &Arc<AppContext>,
    caller: Arc<Caller>,
    blocks: Blocks,
) -> anyhow::Result<Store<GuestState>> {
    let state = GuestState::new(app.clone(), caller, blocks, None)?;
    Ok(limited(engine, state))
}

/// A store for one workflow: its only way to the world is its context.
pub(crate) fn workflow_store(
    engine: &Engine,
    app: &Arc<AppContext>,
    caller: Arc<Caller>,
    context: Context,
) -> anyhow::Result<Store<GuestState>> {
    let state = GuestState::new(app.clone(), caller, Blocks::new(), Some(context))?;
    Ok(limited(engine, state))
}

/// A store with every limit armed.
fn limited(engine: &Engine, state: GuestState) -> Store<GuestState> {
    let memory = usize::try_from(state.app.app.limits.memory.0).unwrap_or(usize::MAX);
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| context.data().meter.on_epoch());
    // What a guest hands to the host in one call comes out of its memory: it can't be more than that.
    store.set_hostcall_fuel(memory);
    store
}

/// What a replay sees again; output is muted while it does.
fn repeatable_wasi(context: &Context, stdout: &GuestLog, stderr: &GuestLog) -> WasiCtx {
    let mut random = Seeded(context.system_random());
    let mut builder = WasiCtx::builder();
    builder
        .stdout(stdout.muted_by(context.clone()))
        .stderr(stderr.muted_by(context.clone()))
        .wall_clock(Clock(context.clone()))
        .monotonic_clock(Clock(context.clone()))
        .insecure_random_seed(random.seed())
        .insecure_random(Seeded(context.system_random()))
        .secure_random(random)
        .max_random_size(RANDOM_MAX)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

fn wasi(app: &AppContext, stdout: &GuestLog, stderr: &GuestLog) -> anyhow::Result<WasiCtx> {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .wall_clock(HostClock)
        .monotonic_clock(HostClock)
        .max_random_size(RANDOM_MAX);
    if let Some(seed) = &app.surroundings.seed {
        let mut random = seed.next();
        builder
            .insecure_random_seed(random.seed())
            .insecure_random(seed.next())
            .secure_random(random);
    }
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    for (name, value) in &app.app.allow.env {
        builder.env(name, value);
    }
    for grant in &app.app.allow.files {
        let permissions = match grant.access {
            berth_resources::Access::Read => FsPerms::ReadOnly,
            berth_resources::Access::Write => FsPerms::ReadWrite,
        };
        builder.preopened_dir(&grant.host, &grant.guest, permissions)?;
    }
    Ok(builder.build())
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.outgoing,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
