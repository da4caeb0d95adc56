//! Which guest a workflow runs on. Its history fits the guest that made it: that one is kept while an instance needs it,
//! and an instance moves to a newer one when its history was seen to fit.

use crate::{LoadedApp, Runtime};
use berth_blocks::{invocation::Target, workflow::InstanceKey};
use parking_lot::Mutex;
use std::collections::HashMap;

/// Guests that are not in service, by app and digest, and instances that are known to fit a guest.
#[derive(Default)]
pub(crate) struct Versions {
    kept: Mutex<HashMap<Target, HashMap<String, LoadedApp>>>,
    fitting: Mutex<HashMap<InstanceKey, String>>,
}

impl Versions {
    fn find(&self, target: &Target, digest: &str) -> Option<LoadedApp> {
        self.kept.lock().get(target)?.get(digest).cloned()
    }

    fn fits(&self, key: &InstanceKey, digest: &str) -> bool {
        let fitting = self.fitting.lock();
        fitting.get(key).is_some_and(|fits| fits == digest)
    }
}

impl Runtime {
    /// Keeps a guest for workflows, whether it is in service, was, or is going to be.
    pub fn keep_version(&self, app: &LoadedApp) {
        let digest = app.digest().to_owned();
        let mut kept = self.versions().kept.lock();
        let versions = kept.entry(app.app().into()).or_default();
        versions.insert(digest, app.clone());
    }

    /// Lets go of the guests of an app that no instance needs.
    pub fn forget_versions(&self, target: &Target, needed: &[String]) {
        if let Some(versions) = self.versions().kept.lock().get_mut(target) {
            versions.retain(|digest, _| needed.contains(digest));
        }
    }

    /// Notes that the history of an instance fits a guest: it is run on that one from its next replay on.
    pub fn moves_to(&self, key: InstanceKey, digest: &str) {
        let mut fitting = self.versions().fitting.lock();
        fitting.insert(key, digest.to_owned());
    }

    /// The digest of the guest that an instance is to run on.
    pub(super) fn version_for(&self, key: &InstanceKey, stored: Option<&str>) -> Option<String> {
        let target = super::target(&key.namespace, &key.app);
        let current = self.app(&target)?.digest().to_owned();
        let Some(stored) = stored.filter(|stored| *stored != current) else {
            return Some(current);
        };
        let versions = self.versions();
        if versions.find(&target, stored).is_none() || versions.fits(key, &current) {
            return Some(current);
        }
        Some(stored.to_owned())
    }

    /// The guest of this digest; without one, or if it is not here, the one in service.
    pub(super) fn version(&self, target: &Target, digest: Option<&str>) -> Option<LoadedApp> {
        let current = self.app(target);
        let Some(digest) = digest else {
            return current;
        };
        if current
            .as_ref()
            .is_some_and(|current| current.digest() == digest)
        {
            return current;
        }
        self.versions().find(target, digest).or(current)
    }
}
