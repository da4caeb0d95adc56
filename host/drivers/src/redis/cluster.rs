//! A Cluster: the client crate keeps one connection per node, follows redirections and reconnects.
//!
//! When a node dies and comes back at a bad moment, that client can come to a halt for good: its task waits for itself,
//! every call runs into its timeout and nothing is sent any more. Hence a client that let a call run out of time and
//! answered no other one meanwhile is replaced.

use super::{
    Master,
    error::Failure,
    node::{Dedicated, answers_of, connect},
    settings::{Address, Settings},
};
use parking_lot::Mutex;
use redis::{
    Cmd, Pipeline, RedisResult, TlsMode, Value,
    aio::ConnectionLike as _,
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
    cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr},
    cmd,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::sync::OnceCell;

const SLOTS: u16 = 16_384;

pub(super) struct ClusterLink {
    settings: Arc<Settings>,
    location: String,
    client: Mutex<Arc<Client>>,
    replicas: AtomicUsize,
}

/// One client of the crate, connected by the first call.
#[derive(Default)]
struct Client {
    connection: OnceCell<ClusterConnection>,
    /// When a node last answered, whatever it said.
    heard: Mutex<Option<Instant>>,
}

/// A call under way.
struct Asked {
    client: Arc<Client>,
    began: Instant,
}

impl fmt::Debug for ClusterLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClusterLink").field(&self.location).finish()
    }
}

impl ClusterLink {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            location: settings.location(),
            settings,
            client: Mutex::default(),
            replicas: AtomicUsize::new(0),
        }
    }

    pub(super) async fn ready(&self) -> Result<(), Failure> {
        let masters = self.masters().await?;
        let replicas = masters.iter().map(|master| master.replicas).max();
        self.replicas
            .store(replicas.unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn replicas(&self) -> usize {
        self.replicas.load(Ordering::Relaxed)
    }

    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, Failure> {
        let (asked, mut connection) = self.ask().await?;
        let answer = connection.req_packed_command(command).await;
        self.answered(&asked, answer.and_then(Value::extract_error))
    }

    pub(super) async fn pipeline(
        &self,
        key: &[u8],
        commands: &Pipeline,
    ) -> Result<Vec<Value>, Failure> {
        let route = Route::new(slot(key), SlotAddr::Master);
        self.send(SingleNodeRoutingInfo::SpecificNode(route), commands)
            .await
    }

    pub(super) async fn pipeline_on(
        &self,
        master: &Master,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, Failure> {
        let Address { host, port } = master.address.clone();
        self.send(SingleNodeRoutingInfo::ByAddress { host, port }, commands)
            .await
    }

    async fn send(
        &self,
        route: SingleNodeRoutingInfo,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, Failure> {
        let (asked, mut connection) = self.ask().await?;
        let (offset, count) = answers_of(commands);
        let answers = connection.route_pipeline(commands.clone(), offset, count, route);
        self.answered(&asked, answers.await)
    }

    /// The masters in the order of their IDs.
    pub(super) async fn masters(&self) -> Result<Vec<Master>, Failure> {
        let shards = self.shards().await?;
        let masters: BTreeMap<_, _> = shards
            .into_iter()
            .map(|shard| (shard.master.id.clone(), shard.master))
            .collect();
        Ok(masters.into_values().collect())
    }

    pub(super) async fn dedicated(&self, key: &[u8]) -> Result<Dedicated, Failure> {
        let slot = slot(key);
        let shards = self.shards().await?;
        let owner = shards
            .into_iter()
            .find(|shard| (shard.first..=shard.last).contains(&slot))
            .ok_or_else(|| {
                Failure::unavailable(&self.location, format_args!("nobody holds slot {slot}"))
            })?;
        let address = owner.master.address;
        let location = format!("Redis at {address} (of a Cluster)");
        let login = &self.settings.login;
        let node = connect(&self.settings, &address, &location, login, 0).await?;
        Ok(Dedicated::new(node, location))
    }

    async fn shards(&self) -> Result<Vec<Shard>, Failure> {
        let (asked, mut connection) = self.ask().await?;
        let mut question = cmd("CLUSTER");
        question.arg("SLOTS");
        let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
        let answer = connection.route_command(question, route).await;
        let Value::Array(ranges) = self.answered(&asked, answer.and_then(Value::extract_error))?
        else {
            return Err(Failure::unavailable(
                &self.location,
                "CLUSTER SLOTS answered no list",
            ));
        };
        Ok(ranges
            .into_iter()
            .filter_map(|range| Shard::of(range, self.settings.addresses.first()))
            .collect())
    }

    async fn ask(&self) -> Result<(Asked, ClusterConnection), Failure> {
        let client = self.client.lock().clone();
        let connection = client.connection.get_or_try_init(|| self.connect()).await?;
        let connection = connection.clone();
        let began = Instant::now();
        Ok((Asked { client, began }, connection))
    }

    fn answered<T>(&self, asked: &Asked, answer: RedisResult<T>) -> Result<T, Failure> {
        let Asked { client, began } = asked;
        match &answer {
            Err(error) if error.is_timeout() => {
                if client.heard.lock().is_none_or(|heard| heard < *began) {
                    self.replace(client);
                }
            }
            Err(error) if error.is_io_error() => {}
            _ => *client.heard.lock() = Some(Instant::now()),
        }
        self.checked(answer)
    }

    fn replace(&self, halted: &Arc<Client>) {
        let mut present = self.client.lock();
        if Arc::ptr_eq(&present, halted) {
            tracing::debug!(
                server = self.location,
                "a client that answers nothing is replaced"
            );
            *present = Arc::default();
        }
    }

    fn checked<T>(&self, answer: RedisResult<T>) -> Result<T, Failure> {
        answer.map_err(|error| Failure::of(&self.location, &error))
    }

    /// The client crate's error does not say what failed, so a node is tried first.
    async fn connect(&self) -> Result<ClusterConnection, Failure> {
        let mut last = None;
        for address in &self.settings.addresses {
            let location = format!("Redis at {address}");
            match connect(&self.settings, address, &location, &self.settings.login, 0).await {
                Ok(_) => return self.connect_all().await,
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| Failure::unavailable(&self.location, "no address is named")))
    }

    async fn connect_all(&self) -> Result<ClusterConnection, Failure> {
        let settings = &*self.settings;
        let tls = settings.tls.as_ref();
        let scheme = if tls.is_some() { "rediss" } else { "redis" };
        let nodes = settings
            .addresses
            .iter()
            .map(|address| format!("{scheme}://{address}"));
        let mut builder = ClusterClientBuilder::new(nodes)
            .retries(settings.redirections)
            .min_retry_wait(millis(settings.backoff.min))
            .max_retry_wait(millis(settings.backoff.max).max(1))
            .connection_timeout(settings.dial_timeout);
        if let Some(bound) = settings.response_timeout {
            builder = builder.response_timeout(bound);
        }
        if let Some(tls) = tls {
            let mode = if tls.insecure {
                TlsMode::Insecure
            } else {
                TlsMode::Secure
            };
            builder = builder.tls(mode).certs(tls.certificates.clone());
        }
        let builder = settings.login.apply_to_cluster(builder);
        let connecting = async { builder.build()?.get_async_connection().await };
        self.checked(connecting.await)
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A range of slots and who holds it.
struct Shard {
    first: u16,
    last: u16,
    master: Master,
}

impl Shard {
    /// One entry of `CLUSTER SLOTS`. A node that does not know its own address has that by which it was asked.
    fn of(range: Value, asked: Option<&Address>) -> Option<Self> {
        let Value::Array(mut parts) = range else {
            return None;
        };
        let replicas = parts.len().checked_sub(3)?;
        let Value::Array(node) = parts.swap_remove(2) else {
            return None;
        };
        let (host, port, id): (Option<String>, u16, String) = {
            let mut fields = node.into_iter();
            (
                redis::from_redis_value(fields.next()?).ok()?,
                redis::from_redis_value(fields.next()?).ok()?,
                redis::from_redis_value(fields.next()?).ok()?,
            )
        };
        let host = host
            .filter(|host| !host.is_empty())
            .or_else(|| asked.map(|address| address.host.clone()))?;
        let mut bounds = parts.into_iter();
        Some(Self {
            first: redis::from_redis_value(bounds.next()?).ok()?,
            last: redis::from_redis_value(bounds.next()?).ok()?,
            master: Master {
                id,
                address: Address { host, port },
                replicas,
            },
        })
    }
}

/// The slot of a key: of what stands in its first braces, if anything does.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = || {
        let open = key.iter().position(|byte| *byte == b'{')? + 1;
        let rest = key.get(open..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    };
    crc16(tag().unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM, as the Cluster's specification says.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"{foo}bar"), slot(b"foo"));
        assert_eq!(slot(b"a{foo}{bar}"), slot(b"foo"));
        assert_ne!(slot(b"{}foo"), slot(b"foo"));
        assert_eq!(slot(b""), 0);
    }
}
