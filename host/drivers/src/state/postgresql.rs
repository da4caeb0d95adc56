//! `state.postgresql` v2: state in a PostgreSQL database, in the tables that Dapr uses, so that both can share them.
//!
//! Values are bytes. The media type has no column there: it is kept in a side table that Dapr does not know, and only
//! values whose etag says so (a UUID of version 8, where Dapr's have version 4) are looked up in it. Keys cannot hold the
//! character NUL, which text of PostgreSQL cannot. Listing needs an index that Dapr does not make; a role that may not
//! make it lists slowly, one that may not make the side table keeps no media types.

mod change;
mod cleanup;
mod migrations;
mod names;
mod table;
#[cfg(test)]
mod tests;

use crate::{
    postgresql::{Database, Given, QueryMode, Settings},
    task::Task,
    workflow::postgresql::{PostgresqlWorkflows, Tables},
};
use async_trait::async_trait;
use berth_blocks::{
    registry::{
        Driver, OpenContext, OpenError, Opened,
        metadata::{Confidential, DurationOrSeconds, duration},
    },
    state::{
        DeleteRequest, Entry, GetOptions, KeyPage, Operation, SetRequest, StateCapabilities,
        StateError, StateStore,
    },
};
use names::Names;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::{sync::Arc, time::Duration};
use table::Table;

/// Operations of one transaction, which holds locks on all their keys.
const TRANSACTION_OPERATIONS_MAX: usize = 10_000;
/// As Dapr has them.
const TIMEOUT: Duration = Duration::from_secs(20);
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Metadata of `state.postgresql`. The doc comments become the reference page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PostgresqlMetadata {
    /// `host=… port=… user=… password=… database=… sslmode=…`, or a URL `postgres://user:password@host:port/database?sslmode=…`.
    /// Also `sslrootcert`, `sslcert`, `sslkey` (paths), `connect_timeout` (seconds, default 5), `target_session_attrs`,
    /// `application_name`, `pool_max_conns`, and parameters of the session such as `search_path`. `sslmode` defaults to
    /// `prefer`, which checks no certificate; `verify-full` does.
    #[serde(default, alias = "url")]
    connection_string: Option<Confidential>,
    /// Host, instead of the one in `connectionString`; default `localhost`.
    #[serde(default)]
    host: Option<String>,
    /// IP address, instead of asking for that of `host`, which is still the name that TLS checks.
    #[serde(default)]
    hostaddr: Option<String>,
    /// Port, instead of the one in `connectionString`; default `5432`.
    #[serde(default)]
    port: Option<String>,
    /// Database, instead of the one in `connectionString`; default: the name of the user.
    #[serde(default)]
    database: Option<String>,
    /// User, instead of the one in `connectionString`.
    #[serde(default)]
    user: Option<String>,
    /// Password, instead of the one in `connectionString`.
    #[serde(default)]
    password: Option<Confidential>,
    /// Path of certificates (PEM) of the authorities to trust, instead of the one in `connectionString`.
    #[serde(default)]
    ssl_root_cert: Option<String>,
    /// What stands before the names of the tables, such as `my_`, with a schema before it if wanted: `public.` or
    /// `public.my_`. The schema must exist. Default: nothing.
    #[serde(default)]
    table_prefix: Option<String>,
    /// Table of Dapr's record of migrations and clean-ups, with a schema before it if wanted; default `dapr_metadata`.
    #[serde(default)]
    metadata_table_name: Option<String>,
    /// The longest that a call may take, at least `1s`; default `20s`. A server that stays silent for half of it while
    /// calls wait is given up, and further calls fail at once until it answers again.
    #[serde(default, alias = "timeoutInSeconds")]
    timeout: Option<DurationOrSeconds>,
    /// How often expired values are deleted, by one of all hosts; they cannot be read before that either. `0` or less
    /// turns it off; default `1h`.
    #[serde(default, alias = "cleanupIntervalInSeconds")]
    cleanup_interval: Option<Interval>,
    /// Connections at most: half of them carry calls, many at a time each, the others transactions. Less than 2 is the
    /// default: 4, or the number of processors if that is greater.
    #[serde(default)]
    max_conns: Option<i64>,
    /// How long a connection for transactions stays open without use; default `30m`.
    #[serde(default)]
    connection_max_idle_time: Option<DurationOrSeconds>,
    /// `cache_statement` (default) prepares each statement once per connection. The others (`cache_describe`,
    /// `describe_exec`, `exec`, `simple_protocol`) prepare none, for poolers such as PgBouncer.
    #[serde(default)]
    query_exec_mode: Option<QueryExecMode>,
    /// Not served: `true` is refused, set `user` and `password`.
    #[serde(default, rename = "useAzureAD")]
    use_azure_ad: bool,
    /// Not served: `true` is refused, set `user` and `password`.
    #[serde(default, rename = "useAWSIAM")]
    use_aws_iam: bool,
}

/// `queryExecMode`, by Dapr's names.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum QueryExecMode {
    CacheStatement,
    CacheDescribe,
    DescribeExec,
    Exec,
    SimpleProtocol,
}

/// How often; `None`: never.
#[derive(Debug, Clone, Copy)]
struct Interval(Option<Duration>);

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(Some(CLEANUP_INTERVAL)));
        }
        let (negative, length) = match text.strip_prefix('-') {
            Some(length) => (true, length),
            None => (false, text),
        };
        let every = duration(length, Duration::from_secs(1)).map_err(serde::de::Error::custom)?;
        Ok(Self((!negative && !every.is_zero()).then_some(every)))
    }
}

impl JsonSchema for Interval {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "duration" })
    }
}

impl PostgresqlMetadata {
    fn settings(&self) -> Result<Settings, OpenError> {
        for (field, wanted) in [
            ("useAzureAD", self.use_azure_ad),
            ("useAWSIAM", self.use_aws_iam),
        ] {
            if wanted {
                return Err(wrong(field, "not supported: set `user` and `password`"));
            }
        }
        let password = self.password.as_ref().map(|password| password.0.reveal());
        let fields = [
            ("host", self.host.as_deref()),
            ("hostaddr", self.hostaddr.as_deref()),
            ("port", self.port.as_deref()),
            ("dbname", self.database.as_deref()),
            ("user", self.user.as_deref()),
            ("password", password),
            ("sslrootcert", self.ssl_root_cert.as_deref()),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
        let connection_string = self.connection_string.as_ref();
        Settings::new(&Given {
            connection_string: connection_string.map(|text| text.0.reveal()),
            fields: fields.collect(),
            max_connections: self
                .max_conns
                .and_then(|count| usize::try_from(count).ok())
                .filter(|count| *count > 1),
            max_idle: self.connection_max_idle_time.as_ref().map(|idle| idle.0),
            query_mode: self.query_exec_mode.map(|mode| match mode {
                QueryExecMode::CacheStatement => QueryMode::Prepared,
                QueryExecMode::CacheDescribe
                | QueryExecMode::DescribeExec
                | QueryExecMode::Exec
                | QueryExecMode::SimpleProtocol => QueryMode::Unnamed,
            }),
            timeout: self.timeout()?,
        })
    }

    fn timeout(&self) -> Result<Duration, OpenError> {
        let timeout = self.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.0);
        if timeout < Duration::from_secs(1) {
            let message = format!("{timeout:?} is too short: expected at least 1s");
            return Err(wrong("timeout", &message));
        }
        Ok(timeout)
    }
}

fn wrong(field: &str, message: &str) -> OpenError {
    OpenError::Metadata {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: connectionString
  value: host=postgres.example.com port=5432 user=orders database=shop sslmode=verify-full
- name: password
  secretKeyRef:
    name: postgresql-password
- name: tablePrefix
  value: berth.
";

/// What the reference page says besides.
const NOTES: &str = "\
Tables are made if they are missing; where the role may not make them, they must exist as Dapr makes them. Workflows
(`actorStateStore`) have tables of their own beside them, `workflow_…` behind the same `tablePrefix`, which the first host
that runs workflows makes, so that its role must be allowed to. A commit is as durable as the server's
`synchronous_commit` makes it. Hosts that share workflows compare leases by their own clocks: keep these synchronised.

Tested with PostgreSQL 15: one server, by password, TLS and client certificate. Not tested: managed services, poolers such
as PgBouncer, CockroachDB, YugabyteDB.
";

/// The driver's entry in the registry, under one of the names that Dapr has for it.
pub(crate) fn driver(kind: &'static str) -> Driver {
    Driver::new(
        kind,
        &["v2"],
        "State in a PostgreSQL database, in Dapr's layout",
        |context, metadata| async move {
            let (state, workflows) = open(context, metadata).await?;
            Ok(Opened {
                workflows: Some(Arc::new(workflows)),
                ..Opened::state(state)
            })
        },
    )
    .example(EXAMPLE)
    .notes(NOTES)
}

async fn open(
    context: OpenContext,
    metadata: PostgresqlMetadata,
) -> Result<(PostgresqlState, PostgresqlWorkflows), OpenError> {
    let names = Names::new(
        metadata.table_prefix.as_deref().unwrap_or_default(),
        metadata.metadata_table_name.as_deref(),
    )?;
    let database = Database::shared(&context, metadata.settings()?).await?;
    let extras = migrations::prepare(&database, &names).await?;
    let table = Arc::new(Table::new(&names, extras));
    let interval = metadata.cleanup_interval;
    let every = interval.map_or(Some(CLEANUP_INTERVAL), |interval| interval.0);
    let cleanup = every.map(|every| cleanup::start(&database, &names, extras, every));
    let tables = Tables::new(|name| names.table(name), &names.metadata, &names.prefix);
    let workflows = PostgresqlWorkflows::new(database.clone(), tables);
    let state = PostgresqlState {
        database,
        table,
        _cleanup: cleanup,
    };
    Ok((state, workflows))
}

/// An open `state.postgresql`.
struct PostgresqlState {
    /// Shared with the other backends of the same settings.
    database: Arc<Database>,
    /// The statements, by the table's name.
    table: Arc<Table>,
    /// Deletes expired values; ends with the store.
    _cleanup: Option<Task>,
}

#[async_trait]
impl StateStore for PostgresqlState {
    fn capabilities(&self) -> StateCapabilities {
        StateCapabilities {
            etag: true,
            transactions: Some(TRANSACTION_OPERATIONS_MAX),
            ttl: true,
            list_keys: true,
            content_type: self.table.keeps_content_types(),
        }
    }

    async fn get(&self, key: &str, _: &GetOptions) -> Result<Option<Entry>, StateError> {
        self.table.get(&self.database, key).await
    }

    async fn set(&self, request: SetRequest) -> Result<(), StateError> {
        self.table.set(&self.database, &request).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<(), StateError> {
        self.table.delete(&self.database, &request).await
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<(), StateError> {
        if operations.len() > TRANSACTION_OPERATIONS_MAX {
            return Err(StateError::TooLarge(format!(
                "a transaction of {} operations: at most {TRANSACTION_OPERATIONS_MAX} are possible",
                operations.len()
            )));
        }
        self.table.transact(&self.database, &operations).await
    }

    async fn list_keys(
        &self,
        prefix: &str,
        limit: u32,
        token: Option<&str>,
    ) -> Result<KeyPage, StateError> {
        self.table
            .list_keys(&self.database, prefix, limit, token)
            .await
    }

    async fn bulk_get(
        &self,
        keys: &[String],
        _: &GetOptions,
    ) -> Vec<Result<Option<Entry>, StateError>> {
        self.table.bulk_get(&self.database, keys).await
    }

    async fn bulk_set(&self, requests: Vec<SetRequest>) -> Vec<Result<(), StateError>> {
        self.table.bulk_set(&self.database, &requests).await
    }

    async fn bulk_delete(&self, requests: Vec<DeleteRequest>) -> Vec<Result<(), StateError>> {
        self.table.bulk_delete(&self.database, &requests).await
    }

    async fn ping(&self) -> Result<(), StateError> {
        self.table.ping(&self.database).await
    }
}
