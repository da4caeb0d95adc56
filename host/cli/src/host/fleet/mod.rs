//! The host among others: where they reach it, whom it believes, where it finds them.
//!
//! ```text
//! documents ─▶ Agreed: what configurations say for the host as a whole
//! Fleet::open ─▶ certificates, address ─▶ prepare: services outside, resolver ─▶ apply ─▶ Neighbours: listen, announce
//! ```

mod agreed;
mod neighbours;
mod settings;

pub use agreed::{Agreed, one};
pub use neighbours::Neighbours;
pub use settings::{FleetSettings, MeshListen, default_user_dir, development_ca};

use super::start::taken;
use crate::failure::Failure;
use agreed::is_same;
use berth_blocks::{
    Backends, ReferencedSecrets, Referrer,
    invocation::{LocalApps, Target},
    registry::Connections,
    resolution::Resolver,
};
use berth_drivers::{ResolverContext, open_resolver};
use berth_mesh::{
    AccessRules, Gate, HttpEndpoints, Keyring, MeshListener, Router, Security, ServerLimits,
    access_rules,
};
use berth_resources::{Diagnostic, HttpEndpoint, NameResolution, Resources};
use std::{
    collections::{BTreeMap, HashSet},
    fs::DirBuilder,
    io::ErrorKind,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::Arc,
};

/// The part that every deployment shares.
pub struct Fleet {
    /// Carries every invocation of this host.
    pub router: Arc<Router>,
    gate: Arc<Gate>,
    settings: FleetSettings,
    keyring: Option<Arc<Keyring>>,
    connections: Connections,
}

/// An address that is ours, and how to speak there.
pub struct Listening {
    listener: MeshListener,
    security: Security,
    /// What other hosts are told.
    advertised: SocketAddr,
}

/// What a deployment changes, ready to be applied.
pub struct Change {
    rules: AccessRules,
    endpoints: HttpEndpoints,
    resolution: Resolution,
    apps: Vec<Target>,
}

/// Where others are found.
struct Resolution {
    document: Option<NameResolution>,
    resolver: Arc<dyn Resolver>,
}

impl Resolution {
    fn is_same(&self, other: &Self) -> bool {
        match (&self.document, &other.document) {
            (Some(one), Some(other)) => is_same(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Fleet {
    /// Takes the address and the certificates for these apps, and callers without a guest. Without a listener, the host
    /// is alone: it was told so, or this account cannot keep what a fleet needs and nobody asked for one.
    pub async fn open(
        settings: &FleetSettings,
        resources: &Resources,
        callers: &[Target],
        apps: Arc<dyn LocalApps>,
        connections: Connections,
    ) -> Result<(Self, Option<Listening>), Failure> {
        let agreed = Agreed::of(resources).map_err(Failure::Findings)?;
        let listening = match listen(settings, &agreed, workloads(resources, callers)).await {
            Ok(listening) => listening,
            Err(failure) if settings.listen == MeshListen::Usual => {
                let why = failure.to_string();
                tracing::warn!(why, "other hosts cannot be called and cannot call this one");
                None
            }
            Err(failure) => return Err(failure),
        };
        let keyring = listening.as_ref().and_then(Listening::keyring);
        let gate = Arc::new(Gate::new(apps, agreed.trust_domain));
        let fleet = Self {
            router: Arc::new(Router::new(gate.clone())),
            gate,
            settings: settings.clone(),
            keyring,
            connections,
        };
        Ok((fleet, listening))
    }

    /// Prepares what documents say about other apps and hosts. `present`: apps that go on for a moment.
    pub async fn prepare(
        &self,
        resources: &Resources,
        backends: &Backends,
        callers: &[Target],
        present: &[Target],
    ) -> Result<Change, Failure> {
        let agreed = Agreed::of(resources).map_err(Failure::Findings)?;
        let endpoints = self.endpoints(resources, backends).await;
        let resolution = self.resolution(&agreed, resources, backends).await;
        let (endpoints, resolution) = match (endpoints, resolution) {
            (Ok(endpoints), Ok(resolution)) => (endpoints, resolution),
            (endpoints, resolution) => {
                let found = endpoints.err().into_iter().chain(resolution.err());
                return Err(Failure::Findings(found.flatten().collect()));
            }
        };
        if let Some(keyring) = &self.keyring {
            let mut wanted = workloads(resources, callers);
            wanted.extend(present.iter().cloned());
            keyring
                .serve(wanted)
                .await
                .map_err(|error| Failure::from(anyhow::Error::from(error)))?;
        }
        let guests = resources.apps.iter().map(Target::from);
        Ok(Change {
            rules: access_rules(resources),
            endpoints,
            resolution,
            apps: guests.collect(),
        })
    }

    /// Puts it into service; from the next call on it counts. What concerns neighbours is theirs.
    pub fn apply(&self, change: &mut Change) {
        self.gate.set_rules(std::mem::take(&mut change.rules));
        self.router
            .set_endpoints(std::mem::take(&mut change.endpoints));
    }

    async fn endpoints(
        &self,
        resources: &Resources,
        backends: &Backends,
    ) -> Result<HttpEndpoints, Vec<Diagnostic>> {
        let mut secrets = BTreeMap::new();
        let mut findings = Vec::new();
        for endpoint in &resources.http_endpoints {
            let referrer = Referrer {
                namespace: &endpoint.namespace,
                secret_store: endpoint.secret_store.as_deref(),
                component: None,
                noun: "value",
                items: endpoint.values().collect(),
            };
            match ReferencedSecrets::read(&referrer, &resources.components, backends).await {
                Ok(read) => drop(secrets.insert(&endpoint.origin, read)),
                Err(found) => findings.extend(found),
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        let secret = |endpoint: &HttpEndpoint, name: &str, key: &str| {
            secrets.get(&endpoint.origin)?.get(name, key)
        };
        HttpEndpoints::open(&resources.http_endpoints, &secret)
    }

    async fn resolution(
        &self,
        agreed: &Agreed,
        resources: &Resources,
        backends: &Backends,
    ) -> Result<Resolution, Vec<Diagnostic>> {
        let context = ResolverContext {
            user_dir: self.settings.user_dir.clone(),
            connections: self.connections.clone(),
        };
        let (secrets, document) = match &agreed.resolution {
            None => (ReferencedSecrets::default(), None),
            Some((namespace, document)) => {
                let referrer = Referrer {
                    namespace,
                    secret_store: None,
                    component: None,
                    noun: "setting",
                    items: document.settings.iter().collect(),
                };
                let read = ReferencedSecrets::read(&referrer, &resources.components, backends);
                (read.await?, Some(document.clone()))
            }
        };
        let secret = |name: &str, key: &str| secrets.get(name, key);
        let resolver = open_resolver(document.as_ref(), &context, &secret).await?;
        Ok(Resolution { document, resolver })
    }
}

impl Listening {
    fn keyring(&self) -> Option<Arc<Keyring>> {
        match &self.security {
            Security::Mutual(keyring) => Some(keyring.clone()),
            Security::Plain => None,
        }
    }
}

async fn listen(
    settings: &FleetSettings,
    agreed: &Agreed,
    workloads: HashSet<Target>,
) -> Result<Option<Listening>, Failure> {
    let Some(address) = settings.listen.address() else {
        return Ok(None);
    };
    if settings.advertise.is_none() && address.ip().is_unspecified() {
        return Err(Failure::input_text(format_args!(
            "other hosts cannot be told to call {}",
            address.ip()
        ))
        .hint("say at which address they reach this host with --mesh-advertise ADDRESS:PORT"));
    }
    make_folder(&settings.user_dir)?;
    let security = security(settings, agreed, workloads).await?;
    let bound = MeshListener::bind(address, security.clone(), ServerLimits::default());
    let listener = bound.map_err(|error| match (error.kind(), &agreed.plain) {
        (ErrorKind::InvalidInput, Some(origin)) => Failure::input(error).hint(format!(
            "`spec.mtls.enabled: false` at {origin} asks for plain text; remove it, or listen on 127.0.0.1"
        )),
        _ => {
            let free = format!("--mesh-listen {}:0", address.ip());
            taken(error, address, "--mesh-listen", &free)
        }
    })?;
    let advertised = match settings.advertise {
        // Behind a mapping of ports the port is another one; without one it is ours.
        Some(address) if address.port() == 0 => {
            SocketAddr::new(address.ip(), listener.address().port())
        }
        Some(address) => address,
        None => listener.address(),
    };
    Ok(Some(Listening {
        listener,
        security,
        advertised,
    }))
}

async fn security(
    settings: &FleetSettings,
    agreed: &Agreed,
    workloads: HashSet<Target>,
) -> Result<Security, Failure> {
    if agreed.plain.is_some() {
        return Ok(Security::Plain);
    }
    let unusable = |error| {
        let hint = match &settings.certificates {
            Some(_) => "name a folder with certificates of the apps with --certificates",
            None => {
                "choose a folder that all of your hosts may write to with --user-dir, or \
                 certificates that are issued elsewhere with --certificates"
            }
        };
        Failure::from(anyhow::Error::from(error).context("certificates for calls between hosts"))
            .hint(hint)
    };
    let (settings, domain, life) = (
        settings.clone(),
        agreed.trust_domain.clone(),
        agreed.certificate_life,
    );
    let trust_domain = domain.clone();
    // It may have to make keys and write files.
    let opened =
        tokio::task::spawn_blocking(move || settings.certificate_source(&domain, life)).await;
    let source = opened
        .map_err(|error| Failure::from(anyhow::Error::from(error)))?
        .map_err(unusable)?;
    let wanted = workloads.clone();
    let keyring = Keyring::open(trust_domain, source, workloads)
        .await
        .map_err(unusable)?;
    let known: HashSet<_> = keyring
        .expiries()
        .into_iter()
        .map(|(id, _)| id.workload)
        .collect();
    for Target { namespace, app } in wanted.difference(&known) {
        tracing::warn!(%app, %namespace, "the app has no certificate: it cannot call other hosts or be called by them");
    }
    Ok(Security::Mutual(keyring))
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        let what = format!("making the folder {}", folder.display());
        Failure::from(anyhow::Error::from(error).context(what))
            .hint("choose one that all of your hosts may write to with --user-dir")
    })
}

/// Everybody who calls or is called.
fn workloads(resources: &Resources, callers: &[Target]) -> HashSet<Target> {
    let guests = resources.apps.iter().map(Target::from);
    guests.chain(callers.iter().cloned()).collect()
}
