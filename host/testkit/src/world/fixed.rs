//! What stays while hosts come and go.

use crate::{
    Kit, backends::Backends, canned::Canned, documents, documents::Documents, probe::SharedProbe,
};
use berth_blocks::registry::Registry;
use berth_resources::{
    Diagnostic, Origin,
    scenario::{Given, OtherApp},
};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Documents, backends, and whoever else there is.
pub(crate) struct Fixed {
    pub(crate) kit: Kit,
    pub(crate) documents: Documents,
    pub(crate) registry: Registry,
    pub(crate) backends: Arc<Backends>,
    pub(crate) canned: Arc<Canned>,
    pub(crate) probe: SharedProbe,
}

impl Fixed {
    pub(crate) fn new(
        kit: &Kit,
        given: &Given,
        folder: &Path,
        place: &Origin,
    ) -> Result<Self, Vec<Diagnostic>> {
        let probe = SharedProbe::default();
        let secrets = given.secrets.iter();
        let secrets = secrets.map(|(store, (secrets, _))| (store.clone(), secrets.clone()));
        let backends = Backends::new(probe.clone(), secrets.collect());
        let registry = backends.registry(kit.registry());
        let documents = documents::read(given, folder, place, &registry)?;
        Ok(Self {
            kit: kit.clone(),
            documents,
            registry,
            backends,
            canned: Arc::new(Canned::new(canned(given))),
            probe,
        })
    }
}

fn canned(given: &Given) -> BTreeMap<String, berth_resources::scenario::CannedApp> {
    let apps = given
        .apps
        .iter()
        .filter_map(|(id, (other, _))| match other {
            OtherApp::Canned(app) => Some((id.to_string(), app.clone())),
            OtherApp::Guest(_) => None,
        });
    let outside = given.outside.iter();
    let outside = outside.map(|(origin, app)| (origin.clone(), app.clone()));
    apps.chain(outside).collect()
}
