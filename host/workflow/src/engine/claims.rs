//! Takes instances that are ready and that nobody owns.

use super::{
    Shared,
    owned::{Acquired, adopt},
};
use berth_blocks::workflow::{ClaimRequest, Timestamp};
use futures::future::select;
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Instances taken at once.
const BATCH: usize = 64;

/// Pause while instances that only wait give their places to others.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// Claims whenever there may be something and there is a place for it.
pub(super) async fn serve(shared: Arc<Shared>) {
    loop {
        let next = claim(&shared).await;
        let poll = shared.platform.now().after(shared.config.poll_interval);
        let until = next.map_or(poll, |next| next.min(poll));
        if until > shared.platform.now() {
            let sleep = shared.platform.sleep_until(until);
            select(pin!(shared.claims.notified()), sleep).await;
        }
    }
}

/// Claims once, as many as there are places, perhaps none; gives when the next instance becomes ready. `None`: nobody knows.
async fn claim(shared: &Arc<Shared>) -> Option<Timestamp> {
    let places = shared
        .config
        .instances_max
        .saturating_sub(shared.owned.lock().len());
    if shared.stopping.load(Ordering::Relaxed) || !shared.has_lease() {
        return None;
    }
    let request = ClaimRequest {
        owner: shared.owner.clone(),
        apps: shared.executor.apps(),
        limit: places.min(BATCH),
        now: shared.platform.now(),
    };
    let claims = match shared.store.claim(request).await {
        Ok(claims) => claims,
        Err(error) => {
            // What was claimed may be ours now, without our knowing.
            shared.doubt();
            tracing::warn!(%error, "claiming workflow instances");
            return None;
        }
    };
    shared.reach("claimed").await;
    let now = shared.platform.now();
    if places == 0 && claims.next_ready_at.is_some_and(|ready| ready <= now) {
        // Others can go on, while some of ours only wait.
        shared.release_idle(shared.config.instances_max / 8 + 1);
        return Some(now.after(FULL_PAUSE));
    }
    let full = claims.claimed.len() == BATCH;
    for claimed in claims.claimed {
        adopt(
            shared,
            Acquired {
                row: claimed.row,
                taken_over: claimed.taken_over,
                events: None,
            },
        );
    }
    if full {
        return Some(shared.platform.now());
    }
    claims.next_ready_at
}
