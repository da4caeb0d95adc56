//! Which call of a guest is under way: backends are not told who asks, and a fault may end whoever does.

use berth_resources::AppId;
use parking_lot::Mutex;
use std::{
    future::Future,
    sync::{Arc, Weak},
};
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static SITE: Arc<Site>;
}

/// Why a guest works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It does not: the scenario itself prepares or looks.
    Scenario,
    /// A request, of somebody outside or of another app.
    Request,
    /// A message.
    Message,
    /// An attempt of an activity.
    Activity,
}

/// A call of a guest, or of the scenario itself.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) app: AppId,
    pub(crate) work: Work,
    killed: CancellationToken,
}

impl Site {
    /// Ends the guest's instance, as a trap would.
    pub(crate) fn kill(&self) {
        self.killed.cancel();
    }
}

/// The calls that are under way.
#[derive(Debug, Default)]
pub(crate) struct Sites(Mutex<Vec<Weak<Site>>>);

impl Sites {
    /// Lets a guest work. `None`: it was killed.
    pub(crate) async fn within<T>(
        &self,
        app: &AppId,
        work: Work,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let site = Arc::new(Site {
            app: app.clone(),
            work,
            killed: CancellationToken::new(),
        });
        if work != Work::Scenario {
            let mut sites = self.0.lock();
            sites.retain(|site| site.strong_count() > 0);
            sites.push(Arc::downgrade(&site));
        }
        let killed = site.killed.clone();
        tokio::select! {
            biased;
            () = killed.cancelled() => None,
            done = SITE.scope(site, call) => Some(done),
        }
    }

    /// Lets the scenario itself prepare something, or look at it.
    pub(crate) async fn aside<T>(&self, app: &AppId, call: impl Future<Output = T>) -> T {
        let site = Arc::new(Site {
            app: app.clone(),
            work: Work::Scenario,
            killed: CancellationToken::new(),
        });
        SITE.scope(site, call).await
    }

    /// The call that this task is a part of. WASI sends requests from tasks of its own: then the latest one of the app
    /// that asks.
    pub(crate) fn current(&self, app: Option<&AppId>) -> Option<Arc<Site>> {
        if let Ok(site) = SITE.try_with(Arc::clone) {
            return Some(site);
        }
        let sites = self.0.lock();
        let mut live = sites.iter().rev().filter_map(Weak::upgrade);
        live.find(|site| Some(&site.app) == app)
    }

    /// Whether a guest works.
    pub(crate) fn is_busy(&self) -> bool {
        self.0.lock().iter().any(|site| site.strong_count() > 0)
    }
}
