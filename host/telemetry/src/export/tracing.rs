//! Who records what: from the Configurations of apps to their tracers.

use super::{
    azure::Azure,
    otlp::Otlp,
    queue::{self, Worker},
    stdout::Stdout,
    zipkin::Zipkin,
};
use crate::trace::{Recorder, Sampler, Service, Sink, Tracer};
use berth_resources::{AppId, Namespace, Tracing as Settings};
use futures::future::join_all;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::runtime::Handle;

/// An app whose Configuration says something about tracing.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedApp {
    /// The tenant.
    pub namespace: Namespace,
    /// The app.
    pub app: AppId,
    /// Name of its Configuration.
    pub configuration: String,
    /// What it says.
    pub tracing: Settings,
}

/// The tracers of a host's apps. Cheap to clone; all clones see the same.
#[derive(Clone, Default)]
pub struct Tracing(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// As many as there were apps.
    apps: Mutex<HashMap<(Namespace, AppId), Tracer>>,
    exporters: Mutex<Vec<Exporters>>,
    /// Of exporters that are and of those that were: what they hold goes out at the end.
    workers: Mutex<Vec<Worker>>,
}

/// The destinations of one Configuration.
struct Exporters {
    namespace: Namespace,
    configuration: String,
    tracing: Settings,
    sinks: Arc<[Arc<dyn Sink>]>,
}

impl Tracing {
    /// The tracer of an app; keep it, since this takes a lock.
    #[must_use]
    pub fn tracer(&self, namespace: &Namespace, app: &AppId) -> Tracer {
        let mut apps = self.0.apps.lock();
        let tracer = apps.entry((namespace.clone(), app.clone())).or_default();
        tracer.clone()
    }

    /// Sets which apps are traced. It counts from their next requests and messages; what is under way keeps what it
    /// began with, and exporters that did not change keep their queues.
    pub fn configure(&self, traced: &[TracedApp]) {
        let traced: Vec<_> = traced
            .iter()
            .filter(|own| own.tracing.has_exporter())
            .collect();
        self.0
            .exporters
            .lock()
            .retain(|exporters| traced.iter().any(|own| exporters.are_of(own)));
        let mut recorders: HashMap<_, _> = traced
            .iter()
            .filter_map(|own| {
                Some((
                    (own.namespace.clone(), own.app.clone()),
                    self.recorder(own)?,
                ))
            })
            .collect();
        let apps = self.0.apps.lock();
        for (key, tracer) in apps.iter() {
            tracer.record_with(recorders.remove(key));
        }
        drop(apps);
        for ((namespace, app), recorder) in recorders {
            self.tracer(&namespace, &app).record_with(Some(recorder));
        }
        self.0.workers.lock().retain(|worker| !worker.is_finished());
    }

    /// Sends what is still queued, for at most `limit`. Nothing is recorded from now on.
    pub async fn finish(&self, limit: Duration) {
        self.configure(&[]);
        let workers = std::mem::take(&mut *self.0.workers.lock());
        let all = join_all(workers.into_iter().map(Worker::finish));
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("the last spans were not taken within {limit:?}, they are lost");
        }
    }

    fn recorder(&self, own: &TracedApp) -> Option<Arc<Recorder>> {
        let service = Service {
            namespace: own.namespace.to_string(),
            name: own.app.to_string(),
        };
        let sampler = Sampler::of_rate(own.tracing.sampling_rate);
        let sinks = self.sinks(own)?;
        Some(Arc::new(Recorder::new(service, sampler, sinks)))
    }

    fn sinks(&self, own: &TracedApp) -> Option<Arc<[Arc<dyn Sink>]>> {
        let mut all = self.0.exporters.lock();
        if let Some(known) = all.iter().find(|exporters| exporters.are_of(own)) {
            return Some(known.sinks.clone());
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("spans cannot be exported outside of the async runtime");
            return None;
        };
        let sinks: Arc<[_]> = self.start(&runtime, own).into();
        all.push(Exporters {
            namespace: own.namespace.clone(),
            configuration: own.configuration.clone(),
            tracing: own.tracing.clone(),
            sinks: sinks.clone(),
        });
        Some(sinks)
    }

    fn start(&self, runtime: &Handle, own: &TracedApp) -> Vec<Arc<dyn Sink>> {
        let TracedApp {
            configuration,
            tracing,
            ..
        } = own;
        let mut starting = Starting {
            runtime,
            configuration,
            sinks: Vec::new(),
            workers: Vec::new(),
        };
        if tracing.stdout {
            starting.add(Ok(Stdout));
        }
        if let Some(url) = &tracing.zipkin {
            starting.add(Zipkin::new(url));
        }
        if let Some(otel) = &tracing.otel {
            starting.add(Otlp::new(otel));
        }
        if let Some(azure) = &tracing.azure_monitor {
            starting.add(Azure::new(azure));
        }
        self.0.workers.lock().extend(starting.workers);
        starting.sinks
    }
}

struct Starting<'s> {
    runtime: &'s Handle,
    configuration: &'s str,
    sinks: Vec<Arc<dyn Sink>>,
    workers: Vec<Worker>,
}

impl Starting<'_> {
    /// The documents were checked: what is still wrong is of this machine, such as its certificates.
    fn add<E: super::Export>(&mut self, export: Result<E, String>) {
        match export {
            Ok(export) => {
                let (sink, worker) = queue::start(self.runtime, self.configuration, export);
                self.sinks.push(sink);
                self.workers.push(worker);
            }
            Err(error) => tracing::error!(
                configuration = self.configuration,
                "an exporter of spans could not be set up: {error}"
            ),
        }
    }
}

impl Exporters {
    fn are_of(&self, own: &TracedApp) -> bool {
        self.namespace == own.namespace
            && self.configuration == own.configuration
            && self.tracing == own.tracing
    }
}

impl std::fmt::Debug for Tracing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exporters = self.0.exporters.lock().len();
        f.debug_struct("Tracing")
            .field("exporters", &exporters)
            .finish()
    }
}
