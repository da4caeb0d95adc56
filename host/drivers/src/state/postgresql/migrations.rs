//! Makes the tables, in Dapr's steps and under Dapr's lock: several hosts of either kind may start at the same time.

use super::names::Names;
use crate::postgresql::{Database, Failure, Fault, literal, run_simple};
use berth_blocks::registry::OpenError;
use tokio_postgres::Client;

/// The steps of Dapr that this driver knows.
const LEVEL: u32 = 2;

/// What the database has besides Dapr's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extras {
    /// The side table of media types.
    pub(super) content_types: bool,
}

/// Brings the tables to the newest form. Nothing is written where they are there already, so that a role without the
/// right to make tables can use them.
pub(super) async fn prepare(database: &Database, names: &Names) -> Result<Extras, OpenError> {
    let migration = Migration {
        location: database.location(),
        names,
    };
    let prepared = database.in_time(async {
        let connection = database.exclusive().await?;
        migration.dapr(connection.begin().await?).await?;
        connection.commit().await?;
        // Each on its own: without the right to make them the store works as well, if less.
        let index = migration.index();
        migration.extra(database, &index).await?;
        let content_types = migration.content_types();
        Ok(Extras {
            content_types: migration.extra(database, &content_types).await?,
        })
    });
    prepared
        .await
        .map_err(|failure: Failure| OpenError::Backend(format!("preparing tables: {failure}")))
}

/// Something that Dapr does not make.
struct Extra {
    /// Its name, quoted.
    relation: String,
    create: String,
    without: &'static str,
}

struct Migration<'n> {
    location: &'n str,
    names: &'n Names,
}

impl Migration<'_> {
    async fn dapr(&self, client: &Client) -> Result<(), Failure> {
        let metadata = &self.names.metadata;
        // Dapr's own lock is a row of a table that may not be there yet.
        let lock = format!(
            "SELECT pg_advisory_xact_lock(hashtext({}))",
            literal(metadata)
        );
        self.run(client, &lock).await?;
        if !self.exists(client, metadata).await? {
            let create = format!(
                "CREATE TABLE IF NOT EXISTS {metadata} (key text NOT NULL PRIMARY KEY, value text NOT NULL)"
            );
            self.run(client, &create).await?;
        }
        let level = self.level(client).await?;
        if level == LEVEL {
            return Ok(());
        }
        self.run(
            client,
            &format!(
                "INSERT INTO {metadata} (key, value) VALUES ('lock', 'lock') ON CONFLICT (key) DO NOTHING;
                 SELECT value FROM {metadata} WHERE key = 'lock' FOR UPDATE"
            ),
        )
        .await?;
        // A Dapr that held the lock may have done the work meanwhile.
        let level = self.level(client).await?;
        if level < 1 {
            self.first_step(client).await?;
        }
        if level < 2 {
            self.second_step(client).await?;
        }
        let key = literal(&self.names.level_key());
        let record = format!(
            "INSERT INTO {metadata} (key, value) VALUES ({key}, '{LEVEL}')
             ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        );
        self.run(client, &record).await.map(drop)
    }

    async fn level(&self, client: &Client) -> Result<u32, Failure> {
        let (metadata, key) = (&self.names.metadata, literal(&self.names.level_key()));
        let rows = self
            .run(
                client,
                &format!("SELECT value FROM {metadata} WHERE key = {key}"),
            )
            .await?;
        let level = rows.first().map_or("0", String::as_str);
        match level.parse() {
            Ok(level) if level <= LEVEL => Ok(level),
            _ => Err(Failure::new(
                Fault::Other,
                format!(
                    "table {metadata} says that a newer Dapr has made the tables (migrations = {level}, known is \
                     {LEVEL}): use another `tablePrefix`"
                ),
            )),
        }
    }

    /// The table.
    async fn first_step(&self, client: &Client) -> Result<(), Failure> {
        let state = &self.names.state;
        self.run(
            client,
            &format!(
                "CREATE TABLE IF NOT EXISTS {state} (
                    key text NOT NULL PRIMARY KEY,
                    value bytea NOT NULL,
                    etag uuid NOT NULL DEFAULT gen_random_uuid(),
                    created_at timestamp with time zone NOT NULL DEFAULT now(),
                    updated_at timestamp with time zone,
                    expires_at timestamp with time zone
                 );
                 CREATE INDEX ON {state} (expires_at)"
            ),
        )
        .await
        .map(drop)
    }

    /// A number per row, by which Dapr lists keys.
    async fn second_step(&self, client: &Client) -> Result<(), Failure> {
        let state = &self.names.state;
        let relation = literal(state);
        let index = format!("\"{}_row_id_uidx\"", self.names.base);
        self.run(
            client,
            &format!(
                "ALTER TABLE {state} ADD COLUMN IF NOT EXISTS row_id bigint;
                 WITH ranked AS (
                    SELECT key, row_number() OVER (ORDER BY created_at, key) AS number FROM {state} WHERE row_id IS NULL
                 )
                 UPDATE {state} AS s SET row_id = ranked.number FROM ranked WHERE ranked.key = s.key;
                 ALTER TABLE {state} ALTER COLUMN row_id SET NOT NULL"
            ),
        )
        .await?;
        let identity = format!(
            "SELECT attidentity <> '' FROM pg_attribute WHERE attrelid = to_regclass({relation}) AND attname = 'row_id'"
        );
        if self
            .run(client, &identity)
            .await?
            .first()
            .map(String::as_str)
            != Some("t")
        {
            let add = format!(
                "ALTER TABLE {state} ALTER COLUMN row_id ADD GENERATED BY DEFAULT AS IDENTITY"
            );
            self.run(client, &add).await?;
        }
        self.run(
            client,
            &format!(
                "SELECT setval(pg_get_serial_sequence({relation}, 'row_id'),
                    (SELECT coalesce(max(row_id), 0) + 1 FROM {state}), false);
                 CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {state} (row_id)"
            ),
        )
        .await
        .map(drop)
    }

    /// Lists keys by prefix, whatever the collation of the database is.
    fn index(&self) -> Extra {
        let name = format!("{}_key_c", self.names.base);
        Extra {
            relation: match &self.names.schema {
                Some(schema) => format!("\"{schema}\".\"{name}\""),
                None => format!("\"{name}\""),
            },
            create: format!(
                "CREATE INDEX IF NOT EXISTS \"{name}\" ON {} (key COLLATE \"C\")",
                self.names.state
            ),
            without: "listing keys reads the whole table",
        }
    }

    fn content_types(&self) -> Extra {
        let table = &self.names.content_types;
        Extra {
            relation: table.clone(),
            create: format!(
                "CREATE TABLE IF NOT EXISTS {table} (
                    key text NOT NULL PRIMARY KEY,
                    etag uuid NOT NULL,
                    content_type text NOT NULL
                 )"
            ),
            without: "media types of values are not kept",
        }
    }

    /// Whether it is there, or could be made.
    async fn extra(&self, database: &Database, extra: &Extra) -> Result<bool, Failure> {
        let connection = database.exclusive().await?;
        let client = connection.begin().await?;
        let lock = format!(
            "SELECT pg_advisory_xact_lock(hashtext({}))",
            literal(&self.names.metadata)
        );
        self.run(client, &lock).await?;
        if !self.exists(client, &extra.relation).await? {
            match self.run(client, &extra.create).await {
                Err(failure) if failure.fault == Fault::Forbidden => {
                    tracing::warn!(cause = %failure, "{}", extra.without);
                    return Ok(false);
                }
                created => drop(created?),
            }
        }
        connection.commit().await?;
        Ok(true)
    }

    async fn exists(&self, client: &Client, relation: &str) -> Result<bool, Failure> {
        let question = format!("SELECT to_regclass({}) IS NOT NULL", literal(relation));
        let rows = self.run(client, &question).await?;
        Ok(rows.first().is_some_and(|answer| answer == "t"))
    }

    /// The first column of the rows.
    async fn run(&self, client: &Client, statements: &str) -> Result<Vec<String>, Failure> {
        run_simple(client, self.location, statements).await
    }
}
