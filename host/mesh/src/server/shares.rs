//! How many connections each calling app has: one that opens ever more of them leaves places for the others.

use berth_blocks::invocation::Target;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// Connections by calling app; apps without one are not listed.
#[derive(Clone, Default)]
pub(super) struct Shares(Arc<Mutex<HashMap<Target, usize>>>);

/// The place of one connection.
pub(super) struct Share {
    shares: Shares,
    caller: Target,
}

impl Shares {
    /// A place, if the app has fewer than `max`.
    pub fn take(&self, caller: &Target, max: usize) -> Option<Share> {
        let mut taken = self.0.lock();
        let count = taken.get(caller).copied().unwrap_or_default();
        if count >= max {
            return None;
        }
        taken.insert(caller.clone(), count + 1);
        Some(Share {
            shares: self.clone(),
            caller: caller.clone(),
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.0.lock();
        if let Some(count) = taken.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> Target {
        Target {
            namespace: "shop".parse().unwrap(),
            app: name.parse().unwrap(),
        }
    }

    #[test]
    fn each_app_has_its_own_and_gives_it_back() {
        let shares = Shares::default();
        let first = shares.take(&app("orders"), 1);
        assert!(first.is_some());
        assert!(shares.take(&app("orders"), 1).is_none());
        let other = shares.take(&app("carts"), 1);
        assert!(other.is_some());
        drop((first, other));
        assert!(shares.0.lock().is_empty());
        assert!(shares.take(&app("orders"), 1).is_some());
    }
}
