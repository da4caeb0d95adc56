//! `redis`: the hosts of a fleet, in a Redis that they share.
//!
//! Per app a sorted set `berth-hosts||<namespace>||<app>` whose members are `<host> <address>` and whose scores are the
//! server's own time, so that the clocks of hosts do not matter. Members that were not renewed for three heartbeats are
//! stale; a set that nobody renews expires.

use crate::redis::{Redis, redis_metadata};
use async_trait::async_trait;
use berth_blocks::{
    invocation::Target,
    registry::{OpenContext, OpenError, metadata::DurationOrSeconds},
    resolution::{Announcement, ResolveError, Resolver},
};
use berth_resources::StaticApp;
use parking_lot::Mutex;
use redis::{Cmd, Value, cmd, from_redis_value};
use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::OnceCell;

const HEARTBEAT: Duration = Duration::from_secs(5);
/// Heartbeats that may be missed before a host counts as gone.
const MISSED_MAX: u32 = 3;

/// Renews one member, drops stale ones, and lets the set go when nobody renews it. ARGV: member, life in milliseconds.
const ANNOUNCE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1";

/// Members that are not stale. ARGV: life in milliseconds.
const RESOLVE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[1], '+inf')";

redis_metadata! {
    /// Settings of `redis`.
    pub(super) struct Settings {
        /// Time between two heartbeats; default `5s`.
        #[serde(default, rename = "updateInterval")]
        update_interval: Option<DurationOrSeconds>,
    }
}

/// An open registry.
pub(super) struct Registry {
    context: OpenContext,
    settings: crate::redis::Settings,
    heartbeat: Duration,
    redis: OnceCell<Arc<Redis>>,
    /// What each host has announced last: apps that it does not have any more are taken out at once.
    announced: Mutex<HashMap<String, Announcement>>,
}

pub(super) fn open(
    context: OpenContext,
    settings: Settings,
    _apps: Vec<StaticApp>,
) -> Result<Registry, OpenError> {
    let heartbeat = settings
        .update_interval
        .as_ref()
        .map_or(HEARTBEAT, |interval| interval.0);
    if heartbeat.is_zero() {
        return Err(OpenError::Metadata {
            field: "updateInterval".to_owned(),
            message: "expected more than nothing".to_owned(),
        });
    }
    Ok(Registry {
        context,
        settings: settings.connection().settings()?,
        heartbeat,
        redis: OnceCell::new(),
        announced: Mutex::default(),
    })
}

impl Registry {
    async fn call(&self, command: &Cmd) -> Result<Value, ResolveError> {
        let connect = || Redis::connected(&self.context, self.settings.clone());
        let redis = self.redis.get_or_try_init(connect).await;
        let redis = redis.map_err(|error| ResolveError(error.to_string()))?;
        redis
            .call(command)
            .await
            .map_err(|error| ResolveError(error.to_string()))
    }

    fn life_ms(&self) -> u64 {
        let life = (self.heartbeat * MISSED_MAX).as_millis();
        u64::try_from(life).unwrap_or(u64::MAX)
    }

    async fn remove(&self, own: &Announcement, apps: &[Target]) -> Result<(), ResolveError> {
        for app in apps {
            let mut command = cmd("ZREM");
            self.call(command.arg(key(app)).arg(member(own))).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Resolver for Registry {
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
        let mut command = cmd("EVAL");
        command
            .arg(RESOLVE)
            .arg(1)
            .arg(key(target))
            .arg(self.life_ms());
        let members: Vec<String> = from_redis_value(self.call(&command).await?)
            .map_err(|error| ResolveError(error.to_string()))?;
        let address = |member: &String| member.split_once(' ')?.1.parse().ok();
        Ok(members.iter().filter_map(address).collect())
    }

    fn heartbeat(&self) -> Option<Duration> {
        Some(self.heartbeat)
    }

    async fn announce(&self, own: &Announcement) -> Result<(), ResolveError> {
        for app in &own.apps {
            let mut command = cmd("EVAL");
            command.arg(ANNOUNCE).arg(1).arg(key(app));
            self.call(command.arg(member(own)).arg(self.life_ms()))
                .await?;
        }
        let before = self.announced.lock().insert(own.host.clone(), own.clone());
        let Some(before) = before else { return Ok(()) };
        let has_moved = before.address != own.address;
        let gone = before
            .apps
            .iter()
            .filter(|app| has_moved || !own.apps.contains(app));
        let gone: Vec<Target> = gone.cloned().collect();
        self.remove(&before, &gone).await
    }

    async fn withdraw(&self, host: &str) -> Result<(), ResolveError> {
        let announced = self.announced.lock().remove(host);
        match announced {
            Some(own) => self.remove(&own, &own.apps).await,
            None => Ok(()),
        }
    }
}

/// As Dapr separates the parts of its keys; neither part holds a bar.
fn key(app: &Target) -> String {
    format!("berth-hosts||{}||{}", app.namespace, app.app)
}

fn member(own: &Announcement) -> String {
    format!("{} {}", own.host, own.address)
}

#[cfg(test)]
#[path = "redis_tests.rs"]
mod tests;
