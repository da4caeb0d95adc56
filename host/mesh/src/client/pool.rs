//! The connections to other hosts.
//!
//! A connection belongs to one calling app (whose certificate it shows), one host and one app on it (whose certificate
//! was checked): what was proved for one app is never used for another.

use super::{
    connect::connect,
    connection::{Connection, Place},
    failure::AttemptError,
    limits::ClientLimits,
};
use crate::security::Security;
use berth_blocks::invocation::Target;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Whose connection it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub caller: Target,
    pub target: Target,
    pub address: SocketAddr,
}

#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Route, Arc<Slot>>>);

/// The connections of one route.
#[derive(Default)]
struct Slot {
    connections: Mutex<Vec<Arc<Connection>>>,
    /// One connection is made at a time; those who wait for it share it.
    connecting: tokio::sync::Mutex<()>,
    /// One more is being made beside those that work.
    growing: AtomicBool,
}

/// A place on a connection.
pub(super) struct Placed {
    pub place: Place,
    /// The connection has carried requests before: it may have been closed by the other side unnoticed.
    pub is_reused: bool,
}

impl Pool {
    /// A place on an open connection, which is made if there is none.
    pub async fn place(
        &self,
        route: &Route,
        security: &Security,
        limits: &ClientLimits,
    ) -> Result<Placed, AttemptError> {
        let slot = self.slot(route);
        if let Some(connection) = slot.usable(security, &route.caller) {
            if connection.in_flight() >= limits.streams_per_connection {
                slot.grow(route, security, limits);
            }
            let place = connection.begin();
            return Ok(Placed {
                place,
                is_reused: true,
            });
        }
        let _connecting = slot.connecting.lock().await;
        if let Some(connection) = slot.usable(security, &route.caller) {
            let place = connection.begin();
            return Ok(Placed {
                place,
                is_reused: true,
            });
        }
        // Boxed, as all that is rare on this path: a handshake's state would make every call's future large.
        let connection = Box::pin(slot.connect(route, security, limits)).await?;
        Ok(Placed {
            place: connection.begin(),
            is_reused: false,
        })
    }

    fn slot(&self, route: &Route) -> Arc<Slot> {
        let mut slots = self.0.lock();
        if let Some(slot) = slots.get(route) {
            return slot.clone();
        }
        let slot = Arc::new(Slot::default());
        slots.insert(route.clone(), slot.clone());
        slot
    }

    /// Closes what has rested, until the pool is dropped.
    pub async fn sweep(pool: Weak<Self>, idle: Duration) {
        let mut ticks = tokio::time::interval(idle / 2);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(pool) = pool.upgrade() else { return };
            pool.close_resting(idle);
        }
    }

    fn close_resting(&self, idle: Duration) {
        let now = Instant::now();
        self.0.lock().retain(|_, slot| {
            let mut connections = slot.connections.lock();
            connections.retain(|connection| {
                let rests = connection.rests_since();
                rests.is_none_or(|since| now.duration_since(since) < idle)
            });
            // Who holds the slot is about to make a connection in it.
            !connections.is_empty() || Arc::strong_count(slot) > 1
        });
    }
}

impl Slot {
    /// The usable connection with the fewest requests. Those that are not usable any more leave; their requests go on.
    fn usable(&self, security: &Security, caller: &Target) -> Option<Arc<Connection>> {
        let mut connections = self.connections.lock();
        connections.retain(|connection| connection.is_usable(security, caller));
        let least = connections
            .iter()
            .min_by_key(|connection| connection.in_flight());
        least.cloned()
    }

    async fn connect(
        &self,
        route: &Route,
        security: &Security,
        limits: &ClientLimits,
    ) -> Result<Arc<Connection>, AttemptError> {
        let Route {
            caller,
            target,
            address,
        } = route;
        let connected = connect(*address, caller, target, security, limits).await?;
        let connection = Arc::new(Connection::new(connected));
        self.connections.lock().push(connection.clone());
        Ok(connection)
    }

    /// Makes one more connection in the background, if the route may have it.
    fn grow(self: &Arc<Self>, route: &Route, security: &Security, limits: &ClientLimits) {
        if self.connections.lock().len() >= limits.connections_max
            || self.growing.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let (slot, route) = (self.clone(), route.clone());
        let (security, limits) = (security.clone(), limits.clone());
        tokio::spawn(async move {
            // If it fails, the present ones go on.
            let _ = slot.connect(&route, &security, &limits).await;
            slot.growing.store(false, Ordering::Release);
        });
    }
}
