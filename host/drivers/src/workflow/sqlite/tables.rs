//! The tables.

/// Name under which the file records the version of these tables.
pub(super) const OWNER: &str = "workflow";

/// Each step brings the tables from one version to the next. Times are milliseconds since 1970.
pub(super) const STEPS: &[&str] = &["
    -- A run of a host. Its lease covers all instances that it owns; `run` is the number that the file gave it.
    CREATE TABLE workflow_host (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        run INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) STRICT;

    -- `ready_at`: when somebody should take an instance that nobody owns. `events` is the number of the next event.
    CREATE TABLE workflow_instance (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        namespace TEXT NOT NULL,
        app TEXT NOT NULL,
        key TEXT NOT NULL,
        execution TEXT NOT NULL,
        workflow TEXT NOT NULL,
        parent_app TEXT,
        parent_key TEXT,
        status TEXT NOT NULL,
        version INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        events INTEGER NOT NULL,
        owner INTEGER,
        ready_at INTEGER,
        waiting_on TEXT,
        waiting_since INTEGER,
        custom_status TEXT,
        code TEXT,
        problem TEXT,
        outcome BLOB,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        finished_at INTEGER,
        expires_at INTEGER,
        UNIQUE (namespace, app, key)
    ) STRICT;
    CREATE INDEX workflow_instance_ready ON workflow_instance (ready_at)
        WHERE owner IS NULL AND ready_at IS NOT NULL;
    CREATE INDEX workflow_instance_owner ON workflow_instance (owner) WHERE owner IS NOT NULL;
    CREATE INDEX workflow_instance_expires ON workflow_instance (expires_at) WHERE expires_at IS NOT NULL;
    CREATE INDEX workflow_instance_parent ON workflow_instance (namespace, parent_app, parent_key)
        WHERE parent_key IS NOT NULL;
    CREATE INDEX workflow_instance_code ON workflow_instance (namespace, app, code)
        WHERE code IS NOT NULL AND finished_at IS NULL;
    CREATE INDEX workflow_instance_stalled ON workflow_instance (app) WHERE status = 'STALLED';

    -- Appended by row ID and not clustered by instance: with many instances at once that is three times as fast.
    CREATE TABLE workflow_event (
        id INTEGER PRIMARY KEY,
        inst INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (inst, seq)
    ) STRICT;

    -- AUTOINCREMENT: numbers order an inbox also after it was empty. A message that was consumed stays without its
    -- body if it has an ID, so that the ID counts once.
    CREATE TABLE workflow_message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        inst INTEGER NOT NULL,
        dedup TEXT,
        at INTEGER NOT NULL,
        body BLOB
    ) STRICT;
    CREATE INDEX workflow_message_inbox ON workflow_message (inst, id) WHERE body IS NOT NULL;
    CREATE UNIQUE INDEX workflow_message_dedup ON workflow_message (inst, dedup) WHERE dedup IS NOT NULL;

    CREATE TABLE workflow_blob (
        id INTEGER PRIMARY KEY,
        inst INTEGER NOT NULL,
        digest TEXT NOT NULL,
        bytes BLOB NOT NULL,
        UNIQUE (inst, digest)
    ) STRICT;

    -- May be taken from `visible_at` on: when it is due, or its claim has run out.
    CREATE TABLE workflow_task (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        inst INTEGER NOT NULL,
        operation INTEGER NOT NULL,
        namespace TEXT NOT NULL,
        app TEXT NOT NULL,
        visible_at INTEGER NOT NULL,
        claim INTEGER NOT NULL,
        deliveries INTEGER NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (inst, operation)
    ) STRICT;
    CREATE INDEX workflow_task_visible ON workflow_task (visible_at);
"];
