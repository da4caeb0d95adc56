//! A host that others call and that calls others.

use super::{Change, Fleet, Listening, Resolution};
use berth_mesh::{Announcer, ClientLimits, Mesh, ServingMesh, Watch};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

/// How often certificates are looked at. A new root of the development CA is trusted for a minute before it signs.
const CERTIFICATES_INTERVAL: Duration = Duration::from_secs(10);

/// The way to other hosts and from them.
pub struct Neighbours {
    mesh: Arc<Mesh>,
    serving: ServingMesh,
    announcer: Announcer,
    resolution: Resolution,
    advertised: SocketAddr,
    _certificates: Option<Watch>,
}

impl Neighbours {
    /// Takes calls of other hosts, and tells them which apps there are.
    ///
    /// # Errors
    /// Another process took the address meanwhile.
    pub fn start(fleet: &Fleet, listening: Listening, change: Change) -> io::Result<Self> {
        let certificates = listening.keyring();
        let Listening {
            listener,
            security,
            advertised,
        } = listening;
        let Change {
            resolution, apps, ..
        } = change;
        let mesh = Mesh::new(
            security,
            resolution.resolver.clone(),
            ClientLimits::default(),
        );
        fleet.router.set_mesh(Some(mesh.clone()));
        let serving = listener.serve(fleet.gate.clone())?;
        Ok(Self {
            mesh,
            serving,
            announcer: announcer(&resolution, advertised, apps),
            resolution,
            advertised,
            _certificates: certificates.map(|keyring| keyring.watch(CERTIFICATES_INTERVAL)),
        })
    }

    /// Where other hosts reach this one.
    pub fn address(&self) -> SocketAddr {
        self.advertised
    }

    /// Tells others about other apps, through another resolver if that is what documents say now.
    pub async fn change(&mut self, change: Change) {
        let Change {
            resolution, apps, ..
        } = change;
        if self.resolution.is_same(&resolution) {
            self.announcer.set_apps(apps);
            return;
        }
        self.mesh.set_resolver(resolution.resolver.clone());
        let announcer = announcer(&resolution, self.advertised, apps);
        let before = std::mem::replace(&mut self.announcer, announcer);
        self.resolution = resolution;
        withdraw(before).await;
    }

    /// Tells others that nothing is here any more, and lets calls under way finish. Returns how many connections were
    /// cut.
    pub async fn drain(self, limit: Duration) -> usize {
        withdraw(self.announcer).await;
        self.serving.drain(limit).await
    }
}

/// A new name for every run of a host and every registry.
fn announcer(
    resolution: &Resolution,
    advertised: SocketAddr,
    apps: Vec<berth_blocks::invocation::Target>,
) -> Announcer {
    let host = format!("{:032x}", rand::random::<u128>());
    Announcer::start(resolution.resolver.clone(), host, advertised, apps)
}

async fn withdraw(announcer: Announcer) {
    if let Err(error) = announcer.withdraw().await {
        tracing::warn!(%error, "the registry does not take our leave: other hosts find out by themselves");
    }
}
