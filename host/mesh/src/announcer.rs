//! Tells others which apps this host has, again and again.

use berth_blocks::{
    invocation::Target,
    resolution::{Announcement, ResolveError, Resolver},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

/// How long a registry may take for one announcement.
const PATIENCE: Duration = Duration::from_secs(3);

/// The announcement of a host. Dropped without [`withdraw`](Self::withdraw): others forget it after a few heartbeats.
pub struct Announcer {
    resolver: Arc<dyn Resolver>,
    announcement: watch::Sender<Announcement>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Announces the apps now and with every heartbeat. `host` is new for every run of a host; `address` is the one that
    /// others reach it at. With a resolver that takes no announcements, nothing happens.
    #[must_use]
    pub fn start(
        resolver: Arc<dyn Resolver>,
        host: String,
        address: SocketAddr,
        apps: Vec<Target>,
    ) -> Self {
        let announcement = Announcement {
            host,
            address,
            apps,
        };
        let (announcement, changes) = watch::channel(announcement);
        let task = tokio::spawn(repeat(resolver.clone(), changes));
        Self {
            resolver,
            announcement,
            task,
        }
    }

    /// Announces another set of apps, at once.
    pub fn set_apps(&self, apps: Vec<Target>) {
        self.announcement.send_if_modified(|announcement| {
            let is_new = announcement.apps != apps;
            announcement.apps = apps;
            is_new
        });
    }

    /// Takes the announcement back, before the host takes nothing new any more.
    ///
    /// # Errors
    /// The registry does not answer: others find out by themselves.
    pub async fn withdraw(self) -> Result<(), ResolveError> {
        self.task.abort();
        let host = self.announcement.borrow().host.clone();
        let withdrawn = timeout(PATIENCE, self.resolver.withdraw(&host)).await;
        withdrawn.unwrap_or_else(|_| Err(ResolveError("no answer in time".to_owned())))
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn repeat(resolver: Arc<dyn Resolver>, mut changes: watch::Receiver<Announcement>) {
    let Some(heartbeat) = resolver.heartbeat() else {
        return;
    };
    let mut was_down = false;
    loop {
        let own = changes.borrow_and_update().clone();
        let announced = timeout(PATIENCE, resolver.announce(&own)).await;
        let failure = match announced {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        tell(failure, &mut was_down);
        // Ends with the announcer.
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(heartbeat) => {}
        }
    }
}

/// The log gets the news, the metric each failure.
fn tell(failure: Option<String>, was_down: &mut bool) {
    match failure {
        Some(error) => {
            metrics::counter!("berth_mesh_announcement_failures_total").increment(1);
            if !*was_down {
                tracing::warn!(
                    error,
                    "the registry does not take our announcement: other hosts may forget our apps"
                );
            }
            *was_down = true;
        }
        None if *was_down => {
            tracing::info!("the registry takes our announcement again");
            *was_down = false;
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use parking_lot::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    const HEARTBEAT: Duration = Duration::from_secs(5);

    /// What a registry heard.
    #[derive(Default)]
    struct Registry {
        heard: Mutex<Vec<String>>,
        is_down: AtomicBool,
    }

    #[async_trait]
    impl Resolver for Registry {
        async fn resolve(&self, _target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
            Ok(Vec::new())
        }

        fn heartbeat(&self) -> Option<Duration> {
            Some(HEARTBEAT)
        }

        async fn announce(&self, own: &Announcement) -> Result<(), ResolveError> {
            let apps: Vec<_> = own.apps.iter().map(|app| app.app.as_str()).collect();
            self.heard.lock().push(apps.join(","));
            if self.is_down.load(Ordering::Relaxed) {
                return Err(ResolveError("down".to_owned()));
            }
            Ok(())
        }

        async fn withdraw(&self, host: &str) -> Result<(), ResolveError> {
            self.heard.lock().push(format!("-{host}"));
            Ok(())
        }
    }

    fn apps(names: &[&str]) -> Vec<Target> {
        names
            .iter()
            .map(|name| Target {
                namespace: "shop".parse().unwrap(),
                app: name.parse().unwrap(),
            })
            .collect()
    }

    /// Lets the task run.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_repeats_tells_changes_at_once_and_takes_back() {
        let registry = Arc::new(Registry::default());
        let address = ([127, 0, 0, 1], 1).into();
        let announcer = Announcer::start(registry.clone(), "one".to_owned(), address, apps(&["a"]));
        settle().await;
        registry.is_down.store(true, Ordering::Relaxed);
        for _ in 0..2 {
            tokio::time::advance(HEARTBEAT).await;
            settle().await;
        }
        announcer.set_apps(apps(&["a", "b"]));
        settle().await;
        announcer.set_apps(apps(&["a", "b"]));
        settle().await;
        announcer.withdraw().await.unwrap();
        tokio::time::advance(HEARTBEAT * 3).await;
        settle().await;
        assert_eq!(*registry.heard.lock(), ["a", "a", "a", "a,b", "-one"]);
    }
}
