//! One life of a host: everything that ends when it crashes. Backends go on without it.

use super::fixed::Fixed;
use crate::{
    engine::WatchedEngine,
    guests::Guests,
    neighbours::{Neighbours, ServicesOutside},
    platform::{self, Virtual},
};
use berth_blocks::{
    Blocks, Deliveries, OpenPlan, clock, clock::Anchored, invocation::Target, open,
    registry::Connections,
};
use berth_gateway::ingress::{ExposedApp, RouteTable};
use berth_mesh::{Gate, Router, TrustDomain, access_rules};
use berth_resources::{App, Diagnostic, Severity};
use berth_runtime::{Runtime, Seed, Surroundings};
use berth_telemetry::trace::{Recorder, Sampler, Service, Sink, SpanRecord};
use berth_workflow::Engines;
use futures::future::join_all;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Instances that one world may have at the same time.
const INSTANCES: u32 = 64;

/// How long a start waits for subscriptions to join.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(5);

/// What came before was cut off by the end of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crashed;

/// Where the clocks of a life stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: SystemTime,
    /// Leases of brokers are measured by it.
    pub(crate) instant: Option<Instant>,
}

/// A host at work.
pub(crate) struct Life {
    pub(crate) blocks: Blocks,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) routes: RouteTable,
    _deliveries: Arc<Deliveries>,
    _engines: Arc<Engines>,
    _clock: Anchored,
    /// Dropped last: with it every task ends.
    tokio: tokio::runtime::Runtime,
}

struct Parts {
    blocks: Blocks,
    runtime: Arc<Runtime>,
    routes: RouteTable,
    deliveries: Arc<Deliveries>,
    engines: Arc<Engines>,
}

impl Life {
    /// Starts a host on the backends of a world. `number` tells its lives apart.
    pub(crate) fn begin(
        fixed: &Fixed,
        moment: Moment,
        number: u64,
    ) -> Result<Self, Vec<Diagnostic>> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without input and output needs nothing of the machine");
        let clock = tokio.block_on(async {
            let ahead = moment
                .instant
                .map(|instant| instant.saturating_duration_since(Instant::now()));
            if let Some(ahead) = ahead.filter(|ahead| !ahead.is_zero()) {
                tokio::time::advance(ahead).await;
            }
            clock::anchor(moment.wall)
        });
        fixed.probe.crash.over();
        let parts = tokio.block_on(start(fixed, number))?;
        Ok(Self {
            blocks: parts.blocks,
            runtime: parts.runtime,
            routes: parts.routes,
            _deliveries: parts.deliveries,
            _engines: parts.engines,
            _clock: clock,
            tokio,
        })
    }

    /// Does something, unless the host ends meanwhile.
    pub(crate) fn run<T>(
        &self,
        fixed: &Fixed,
        work: impl Future<Output = T>,
    ) -> Result<T, Crashed> {
        self.tokio.block_on(async {
            tokio::select! {
                biased;
                () = fixed.probe.crash.struck() => Err(Crashed),
                done = work => Ok(done),
            }
        })
    }

    /// Where its clocks stand.
    pub(crate) fn moment(&self) -> Moment {
        let _within = self.tokio.enter();
        Moment {
            wall: clock::now(),
            instant: Some(Instant::now()),
        }
    }
}

/// Guests, blocks and engines know each other: this lets go of what is large.
impl Drop for Life {
    fn drop(&mut self) {
        self.runtime.swap(Vec::new());
        self.blocks.swap(berth_blocks::Backends::default());
    }
}

async fn start(fixed: &Fixed, number: u64) -> Result<Parts, Vec<Diagnostic>> {
    let resources = &fixed.documents.resources;
    let blocks = Blocks::new();
    let surroundings = Surroundings {
        outside: Some(Arc::new(ServicesOutside {
            canned: fixed.canned.clone(),
            probe: fixed.probe.clone(),
        })),
        seed: Some(Arc::new(Seed::new(number))),
    };
    let runtime = Runtime::on(fixed.kit.engines(), INSTANCES, blocks.clone(), surroundings);
    let plan = OpenPlan {
        data_dir: fixed.kit.data_dir().to_owned(),
        connections: Connections::default(),
        apps: resources.apps.clone(),
        native: Vec::new(),
        configurations: resources.configurations.clone(),
        resiliencies: resources.resiliencies.clone(),
    };
    let (backends, findings) = open(&resources.components, &fixed.registry, &plan, None).await;
    let errors = findings
        .into_iter()
        .filter(|found| found.severity == Severity::Error);
    let errors: Vec<_> = errors.collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let gate = Arc::new(Gate::new(
        Arc::new(Neighbours {
            runtime: runtime.clone(),
            canned: fixed.canned.clone(),
            probe: fixed.probe.clone(),
        }),
        TrustDomain::default(),
    ));
    gate.set_rules(access_rules(resources));
    blocks.set_invoke(Arc::new(Router::new(gate)));
    let guests = Arc::new(Guests {
        runtime: runtime.clone(),
        probe: fixed.probe.clone(),
    });
    let engines = Engines::on(
        blocks.clone(),
        guests.clone(),
        platform::config(INSTANCES),
        fixed.kit.data_dir().to_owned(),
        Arc::new(Virtual::new(&format!("host {number}"))),
    );
    let owner = Arc::downgrade(&engines);
    runtime.on_shortage(move |count| {
        if let Some(engines) = owner.upgrade() {
            engines.release_idle(count);
        }
    });
    blocks.set_workflows(Arc::new(WatchedEngine {
        inner: engines.clone(),
        probe: fixed.probe.clone(),
    }));
    let backends = Arc::new(backends);
    let deployables = join_all(
        resources
            .apps
            .iter()
            .map(|app| runtime.deployable(app, &backends)),
    )
    .await;
    let (mut apps, mut exposed, mut subscriptions) = (Vec::new(), Vec::new(), Vec::new());
    let mut errors = Vec::new();
    for (app, deployable) in resources.apps.iter().zip(deployables) {
        match deployable {
            Ok(deployable) => {
                let own = deployable.plan(&resources.subscriptions);
                exposed.push(ExposedApp {
                    target: deployable.target(),
                    http: app.http.clone(),
                    private_paths: deployable.private_paths(&own),
                });
                subscriptions.extend(own);
                apps.push(deployable.loaded);
            }
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // Two apps with one path are an error of the documents, which were read without one.
    let routes = RouteTable::new(exposed).unwrap_or_default();
    blocks.swap(backends);
    record_spans(fixed, &blocks, &resources.apps);
    runtime.swap(apps);
    let deliveries = Arc::new(Deliveries::new(blocks.clone(), guests));
    deliveries.reconcile(subscriptions).await;
    deliveries.begun(SUBSCRIBED_WITHIN).await;
    engines.reconcile(&[]).await;
    Ok(Parts {
        blocks,
        runtime,
        routes,
        deliveries,
        engines,
    })
}

/// Every span of every app ends in the journal, whatever its configuration says about exporters.
fn record_spans(fixed: &Fixed, blocks: &Blocks, apps: &[App]) {
    let sinks: Arc<[Arc<dyn Sink>]> = Arc::new([Arc::new(Spans(fixed.probe.clone())) as _]);
    for app in apps {
        let Target { namespace, app } = app.into();
        let service = Service {
            namespace: namespace.to_string(),
            name: app.to_string(),
        };
        let recorder = Recorder::new(service, Sampler::of_rate(1.0), sinks.clone());
        let tracer = blocks.tracing().tracer(&namespace, &app);
        tracer.record_with(Some(Arc::new(recorder)));
    }
}

struct Spans(crate::probe::SharedProbe);

impl Sink for Spans {
    fn take(&self, span: &Arc<SpanRecord>) {
        let name = span.name.to_string();
        self.0.journal.note(|records| records.spans.push(name));
    }
}
