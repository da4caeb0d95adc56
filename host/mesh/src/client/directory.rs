//! Which hosts an app has, as far as is known: asks the resolver, remembers, and goes by what it knew while the resolver
//! is down.

use super::{host::Host, limits::ClientLimits};
use arc_swap::ArcSwap;
use berth_blocks::{invocation::Target, resolution::Resolver};
use http::HeaderValue;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Apps that are remembered; those that were not asked for longest are forgotten.
const APPS_MAX: usize = 10_000;

type Hosts = Arc<Vec<Arc<Host>>>;

pub(super) struct Directory {
    /// Behind one more pointer, since a trait object cannot be swapped by itself.
    resolver: ArcSwap<Arc<dyn Resolver>>,
    ttl: Duration,
    timeout: Duration,
    apps: Mutex<HashMap<Target, Arc<Entry>>>,
}

struct Entry {
    /// The app as requests name it.
    callee: HeaderValue,
    known: Mutex<Option<Known>>,
    /// One question at a time.
    asking: tokio::sync::Mutex<()>,
    /// A question in the background is under way.
    refreshing: AtomicBool,
    used: Mutex<Instant>,
}

#[derive(Clone)]
struct Known {
    hosts: Hosts,
    asked: Instant,
}

impl Directory {
    pub fn new(resolver: Arc<dyn Resolver>, limits: &ClientLimits) -> Self {
        Self {
            resolver: ArcSwap::from_pointee(resolver),
            ttl: limits.resolution_ttl,
            timeout: limits.resolution_timeout,
            apps: Mutex::default(),
        }
    }

    pub fn set_resolver(&self, resolver: Arc<dyn Resolver>) {
        self.resolver.store(Arc::new(resolver));
        for entry in self.apps.lock().values() {
            entry.age(self.ttl);
        }
    }

    /// The hosts of an app, and the app as requests name it. Only the first question of an app waits for the resolver; an
    /// answer that has become old is used while a newer one is fetched.
    ///
    /// # Errors
    /// The resolver has never answered for this app, and does not now.
    pub async fn look_up(&self, target: &Target) -> Result<(Hosts, HeaderValue), String> {
        let entry = self.entry(target);
        let hosts = self.hosts_of(&entry, target).await?;
        Ok((hosts, entry.callee.clone()))
    }

    async fn hosts_of(&self, entry: &Arc<Entry>, target: &Target) -> Result<Hosts, String> {
        let known = entry.known.lock().clone();
        match known {
            Some(known) if known.asked.elapsed() < self.ttl => Ok(known.hosts),
            // Nobody has it: whether that is still so decides over the whole call.
            Some(known) if known.hosts.is_empty() => {
                let asked = Box::pin(self.ask(entry, target)).await;
                Ok(asked.unwrap_or(known.hosts))
            }
            Some(known) => {
                self.refresh(entry, target);
                Ok(known.hosts)
            }
            None => Box::pin(self.ask(entry, target)).await,
        }
    }

    /// What is known of the app may be wrong: the next call asks.
    pub fn doubt(&self, target: &Target) {
        self.entry(target).age(self.ttl);
    }

    fn entry(&self, target: &Target) -> Arc<Entry> {
        let mut apps = self.apps.lock();
        if let Some(entry) = apps.get(target) {
            *entry.used.lock() = Instant::now();
            return entry.clone();
        }
        if apps.len() >= APPS_MAX {
            let oldest = apps.iter().min_by_key(|(_, entry)| *entry.used.lock());
            if let Some(oldest) = oldest.map(|(target, _)| target.clone()) {
                apps.remove(&oldest);
            }
        }
        let callee = HeaderValue::from_str(&format!("{}.{}", target.app, target.namespace));
        let entry = Arc::new(Entry {
            // Names are letters, digits, dashes and underscores.
            callee: callee.unwrap_or(HeaderValue::from_static("")),
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            refreshing: AtomicBool::default(),
            used: Mutex::new(Instant::now()),
        });
        apps.insert(target.clone(), entry.clone());
        entry
    }

    fn refresh(&self, entry: &Arc<Entry>, target: &Target) {
        if entry.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (entry, target) = (entry.clone(), target.clone());
        let (resolver, timeout) = (self.resolver.load_full(), self.timeout);
        tokio::spawn(async move {
            let _asking = entry.asking.lock().await;
            // A failure is logged; what is known stays.
            let _ = entry.resolve(&resolver, &target, timeout).await;
            entry.refreshing.store(false, Ordering::Release);
        });
    }

    async fn ask(&self, entry: &Entry, target: &Target) -> Result<Hosts, String> {
        let asked = Instant::now();
        let _asking = entry.asking.lock().await;
        // Somebody else has asked while this call waited.
        if let Some(known) = &*entry.known.lock()
            && known.asked >= asked
        {
            return Ok(known.hosts.clone());
        }
        let resolver = self.resolver.load_full();
        entry.resolve(&resolver, target, self.timeout).await
    }
}

impl Entry {
    async fn resolve(
        &self,
        resolver: &Arc<dyn Resolver>,
        target: &Target,
        timeout: Duration,
    ) -> Result<Hosts, String> {
        let answer = match tokio::time::timeout(timeout, resolver.resolve(target)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        match answer {
            Ok(addresses) => Ok(self.learn(addresses)),
            Err(error) => {
                metrics::counter!("berth_mesh_resolution_failures_total").increment(1);
                tracing::debug!(app = %target.app, namespace = %target.namespace, error, "name resolution failed");
                if let Some(known) = &mut *self.known.lock() {
                    // Not for every call: the registry has troubles enough.
                    known.asked = Instant::now();
                }
                Err(format!("resolving app `{}`: {error}", target.app))
            }
        }
    }

    /// Hosts that stay keep what is known of them.
    fn learn(&self, mut addresses: Vec<SocketAddr>) -> Hosts {
        addresses.sort_unstable();
        addresses.dedup();
        let mut known = self.known.lock();
        let before = known.as_ref().map(|known| known.hosts.clone());
        let same = |address: SocketAddr| {
            let mut hosts = before.iter().flat_map(|hosts| hosts.iter());
            hosts.find(|host| host.address == address).cloned()
        };
        let hosts = addresses
            .into_iter()
            .map(|address| same(address).unwrap_or_else(|| Arc::new(Host::new(address))));
        let hosts: Hosts = Arc::new(hosts.collect());
        *known = Some(Known {
            hosts: hosts.clone(),
            asked: Instant::now(),
        });
        hosts
    }

    fn age(&self, ttl: Duration) {
        if let Some(known) = &mut *self.known.lock() {
            known.asked = known.asked.checked_sub(ttl).unwrap_or(known.asked);
        }
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
