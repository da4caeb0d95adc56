//! The backends of a world: in memory, whatever their documents name. Documents are checked by the drivers that they
//! name, and the policies around them are the real ones.

mod pubsub;
mod secrets;
mod state;

use crate::probe::SharedProbe;
use berth_blocks::{
    in_memory,
    memory::InMemoryWorkflows,
    pubsub::PubSub,
    registry::{Driver, Metadata, OpenContext, OpenError, Opened, Registry},
    secrets::SecretFields,
    state::StateStore,
};
use berth_resources::{Namespace, Secret};
use parking_lot::Mutex;
use pubsub::WatchedPubSub;
use secrets::GivenSecrets;
use state::WatchedState;
use std::{collections::BTreeMap, sync::Arc};

/// Backends by namespace and name, and by the app if each has one of its own. They stay while hosts come and go.
pub(crate) struct Backends {
    probe: SharedProbe,
    secrets: BTreeMap<String, BTreeMap<String, SecretFields>>,
    open: Mutex<BTreeMap<Key, Kept>>,
}

type Key = (Namespace, String, Vec<String>);

/// A backend that was opened.
#[derive(Clone)]
struct Kept {
    /// With the probe before it.
    opened: Opened,
    /// Without.
    state: Option<Arc<dyn StateStore>>,
    pubsub: Option<Arc<dyn PubSub>>,
    workflows: Option<Arc<InMemoryWorkflows>>,
}

impl Backends {
    pub(crate) fn new(
        probe: SharedProbe,
        secrets: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
    ) -> Arc<Self> {
        let secret = |fields: BTreeMap<String, String>| -> SecretFields {
            fields
                .into_iter()
                .map(|(name, value)| (name, Secret::new(value)))
                .collect()
        };
        let store = |secrets: BTreeMap<String, BTreeMap<String, String>>| {
            secrets
                .into_iter()
                .map(|(name, fields)| (name, secret(fields)))
                .collect()
        };
        let secrets = secrets
            .into_iter()
            .map(|(name, secrets)| (name, store(secrets)))
            .collect();
        Arc::new(Self {
            probe,
            secrets,
            open: Mutex::default(),
        })
    }

    /// The drivers of a registry, each of which opens a backend in memory.
    pub(crate) fn registry(self: &Arc<Self>, real: &Registry) -> Registry {
        let drivers = real.0.iter().map(|driver| {
            let (backends, kind, open) = (self.clone(), driver.kind, driver.open.clone());
            Driver {
                open: Arc::new(move |context, metadata| {
                    let (backends, open) = (backends.clone(), open.clone());
                    Box::pin(async move {
                        let file = kind == "secretstores.local.file";
                        let real = file.then_some((open, metadata));
                        backends.open(kind, context, real).await
                    })
                }),
                ..copy(driver)
            }
        });
        Registry(drivers.collect())
    }

    async fn open(
        &self,
        kind: &str,
        context: OpenContext,
        real: Option<(Arc<berth_blocks::registry::Open>, Metadata)>,
    ) -> Result<Opened, OpenError> {
        let apps = context.apps.iter().map(ToString::to_string).collect();
        let key = (context.namespace.clone(), context.name.clone(), apps);
        if let Some(kept) = self.open.lock().get(&key) {
            return Ok(kept.opened.clone());
        }
        let name = context.name.clone();
        let mut kept = match kind.split('.').next().unwrap_or_default() {
            "secretstores" => {
                let given = self.secrets.get(&name).cloned().unwrap_or_default();
                let file = match real {
                    None => None,
                    Some((open, metadata)) => match open(context, metadata).await {
                        Ok(opened) => opened.secrets,
                        // Its path starts at the working directory, which is another one in a test.
                        Err(_) if !given.is_empty() => None,
                        Err(error) => return Err(error),
                    },
                };
                Kept {
                    opened: Opened::secrets(GivenSecrets {
                        name,
                        given,
                        file,
                        probe: self.probe.clone(),
                    }),
                    state: None,
                    pubsub: None,
                    workflows: None,
                }
            }
            "pubsub" => self.pubsub(name, memory("pubsub.in-memory", context).await?),
            _ => self.state(name, memory("state.in-memory", context).await?),
        };
        kept.opened.files.clear();
        self.open.lock().insert(key, kept.clone());
        Ok(kept.opened)
    }

    fn state(&self, name: String, plain: Opened) -> Kept {
        let workflows = Arc::new(InMemoryWorkflows::default());
        let watched = plain.state.clone().map(|inner| -> Arc<dyn StateStore> {
            Arc::new(WatchedState {
                name,
                inner,
                probe: self.probe.clone(),
            })
        });
        Kept {
            opened: Opened {
                state: watched,
                workflows: Some(workflows.clone()),
                ..Opened::default()
            },
            state: plain.state,
            pubsub: None,
            workflows: Some(workflows),
        }
    }

    fn pubsub(&self, name: String, plain: Opened) -> Kept {
        let watched = plain.pubsub.clone().map(|inner| -> Arc<dyn PubSub> {
            Arc::new(WatchedPubSub {
                name,
                inner,
                probe: self.probe.clone(),
            })
        });
        Kept {
            opened: Opened {
                pubsub: watched,
                ..Opened::default()
            },
            state: None,
            pubsub: plain.pubsub,
            workflows: None,
        }
    }

    /// State stores by name, as they are behind the probe.
    pub(crate) fn stores(&self) -> Vec<(String, Arc<dyn StateStore>)> {
        let open = self.open.lock();
        let stores = open
            .iter()
            .filter_map(|((_, name, _), kept)| Some((name.clone(), kept.state.clone()?)));
        stores.collect()
    }

    /// Brokers.
    pub(crate) fn brokers(&self) -> Vec<Arc<dyn PubSub>> {
        let open = self.open.lock();
        open.values()
            .filter_map(|kept| kept.pubsub.clone())
            .collect()
    }

    /// Stores of workflow instances.
    pub(crate) fn workflows(&self) -> Vec<Arc<InMemoryWorkflows>> {
        let open = self.open.lock();
        let stores = open.values().filter_map(|kept| kept.workflows.clone());
        stores.collect()
    }
}

fn copy(driver: &Driver) -> Driver {
    Driver {
        kind: driver.kind,
        versions: driver.versions,
        summary: driver.summary,
        notes: driver.notes,
        example: driver.example,
        schema: driver.schema,
        names: driver.names,
        check: driver.check,
        open: driver.open.clone(),
    }
}

async fn memory(kind: &str, context: OpenContext) -> Result<Opened, OpenError> {
    let drivers = Registry(in_memory());
    match drivers.driver(kind) {
        Some(driver) => (driver.open)(context, Metadata::new()).await,
        None => Err(OpenError::Backend(format!("there is no driver {kind}"))),
    }
}
