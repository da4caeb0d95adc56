//! What is measured: one file each, with its budget.

mod cold_start;
mod dapr_http_state;
mod driver;
mod http_fresh;
mod http_reused;
mod idle_memory;
mod invocation;
mod language_hellos;
mod languages;
pub mod loops;
mod mesh;
mod mesh_failure;
mod pubsub_kafka;
mod pubsub_rabbitmq;
mod pubsub_redis;
mod pubsub_sqlite;
mod resiliency;
mod sdk_layers;
mod state_postgresql;
mod state_redis;
mod state_sqlite;
mod stores;
mod tenants;
mod testkit;
mod topics;
mod tracing;
mod watch;
mod wit_call;
mod workflow;
mod workflow_engine;
mod workflow_hosts;

use crate::{report::Line, settings::Settings};
use anyhow::Result;
use clap::ValueEnum;

macro_rules! measurements {
    ($($variant:ident $module:ident $summary:literal),* $(,)?) => {
        /// A measurement.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        #[value(rename_all = "snake_case")]
        pub enum Measurement {
            $(#[doc = $summary] $variant),*
        }

        impl Measurement {
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($module)),* }
            }

            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),* }
            }

            pub fn run(self, settings: &Settings) -> Result<Vec<Line>> {
                match self { $(Self::$variant => $module::run(settings)),* }
            }
        }
    };
}

measurements! {
    HttpFresh http_fresh "a hello over HTTP, a fresh instance for every request",
    HttpReused http_reused "a hello over HTTP, instances that serve a thousand requests",
    Tracing tracing "what tracing costs a hello that nobody records",
    WitCall wit_call "one call of a guest to state in memory, under every policy",
    Resiliency resiliency "what a resiliency policy adds to a call of a guest",
    Invocation invocation "calls of an app to an app of the same host",
    Mesh mesh "calls of an app to an app on another host, with mutual TLS",
    DaprHttpState dapr_http_state "a value of state.redis through the Dapr HTTP API",
    StateSqlite state_sqlite "writes to state.sqlite, each on the disk when it is answered",
    PubsubSqlite pubsub_sqlite "messages published to pubsub.sqlite, received and acknowledged",
    StateRedis state_redis "guests' gets and sets in state.redis",
    StatePostgresql state_postgresql "guests' gets and sets in state.postgresql",
    Tenants tenants "connections and memory of apps that share one state.redis",
    PubsubRedis pubsub_redis "messages that guests publish to and handle from pubsub.redis",
    PubsubRabbitmq pubsub_rabbitmq "messages that guests publish to and handle from pubsub.rabbitmq",
    PubsubKafka pubsub_kafka "messages that guests publish to and handle from pubsub.kafka",
    Workflow workflow "workflows of sequential steps, each on the disk before the next begins",
    WorkflowEngine workflow_engine "replays, recovery, memory, timers and rows of workflows on the embedded file",
    WorkflowHosts workflow_hosts "workflows of two hosts on one PostgreSQL, beside one host",
    MeshFailure mesh_failure "the slowest calls between hosts while one of them is killed",
    Languages languages "the same service in every language: size, build, start, requests, memory",
    SdkLayers sdk_layers "what an SDK costs: its template beside the same over raw bindings",
    Watch watch "a saved line of a guest that is watched, until it answers",
    LanguageHellos language_hellos "the smallest program of a language, beside wasmtime serve on it",
    Testkit testkit "scenarios of component tests on a guest that is in the cache",
    ColdStart cold_start "from the start of the process to the first answer, guest compiled before",
    IdleMemory idle_memory "resident memory of an app that has answered once",
}

/// Those that were asked for, or all.
pub fn chosen(only: &[Measurement]) -> Vec<Measurement> {
    if only.is_empty() {
        Measurement::value_variants().to_vec()
    } else {
        only.to_vec()
    }
}
