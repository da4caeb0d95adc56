use super::*;
use crate::{
    scratch::Scratch,
    sqlite::{Location, Options},
};
use berth_blocks::conformance::Subject;
use std::path::Path;

async fn open(path: &Path) -> Arc<dyn WorkflowStore> {
    let context = crate::scratch::context(path.parent().unwrap());
    let location = Location::File(path.to_owned());
    let database = Database::shared(&context, location, Options::default())
        .await
        .unwrap();
    Arc::new(SqliteWorkflows::new(database))
}

async fn open_for_test() -> Subject<dyn WorkflowStore> {
    let scratch = Scratch::new();
    let path = scratch.database();
    let reopened = path.clone();
    Subject::new(open(&path).await)
        .keeping(scratch)
        .reopened_by(move || {
            let path = reopened.clone();
            async move { open(&path).await }
        })
}

berth_blocks::workflow_conformance!(sqlite: open_for_test);

/// The next run of the only host need not wait for the lease to end.
#[tokio::test]
async fn a_run_that_is_over_leaves_its_instances_at_once() {
    let scratch = Scratch::new();
    let (now, later) = (Timestamp(1_000), Timestamp(1_000_000));
    let store = open(&scratch.database()).await;
    store.join("first run", now, later).await.unwrap();
    let key = InstanceKey::new(Namespace::default(), "orders".parse().unwrap(), "a");
    let new = NewInstance {
        key: key.clone(),
        execution: "run".to_owned(),
        workflow: "order".to_owned(),
        parent: None,
        events: Vec::new(),
        blobs: Vec::new(),
        tasks: Vec::new(),
        ready_at: now,
        created_at: now,
        owner: Some("first run".to_owned()),
    };
    store.create(new, &[]).await.unwrap();
    drop(store);
    let store = open(&scratch.database()).await;
    store.join("second run", now, later).await.unwrap();
    let request = ClaimRequest {
        owner: "second run".to_owned(),
        apps: vec![(key.namespace.clone(), key.app.clone())],
        limit: 1,
        now,
    };
    let claims = store.claim(request).await.unwrap();
    assert!(claims.claimed[0].taken_over && claims.claimed[0].row.key == key);
}

/// Nothing but the rows of hosts, in any table.
#[tokio::test]
async fn a_purge_leaves_no_row_in_any_table() {
    let scratch = Scratch::new();
    let store = open(&scratch.database()).await;
    let (now, later) = (Timestamp(1_000), Timestamp(1_000_000));
    store.join("host", now, later).await.unwrap();
    let key = InstanceKey::new(Namespace::default(), "orders".parse().unwrap(), "a");
    let app = key.app.clone();
    let new = NewInstance {
        key: key.clone(),
        execution: "run".to_owned(),
        workflow: "order".to_owned(),
        parent: None,
        events: vec![EventRow {
            seq: 0,
            body: Bytes::from_static(b"event"),
        }],
        blobs: vec![berth_blocks::workflow::Blob {
            digest: "digest".to_owned(),
            bytes: Bytes::from_static(b"blob"),
        }],
        tasks: vec![berth_blocks::workflow::NewTask {
            app,
            operation: 1,
            visible_at: now,
            body: Bytes::from_static(b"task"),
        }],
        ready_at: now,
        created_at: now,
        owner: None,
    };
    store.create(new, &[]).await.unwrap();
    let message = Message {
        dedup: Some("id".to_owned()),
        body: Bytes::from_static(b"message"),
        at: now,
    };
    store.send(&key, message).await.unwrap();
    assert!(store.purge(&key, true).await.unwrap());
    drop(store);
    let connection = Connection::open(scratch.database()).unwrap();
    for table in ["instance", "event", "message", "blob", "task"] {
        let sql = format!("SELECT count(*) FROM workflow_{table}");
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

/// A power failure may cut the log anywhere; whatever is left of it is a state in which all commits up to one have
/// happened, each as a whole.
#[tokio::test]
async fn a_log_that_is_cut_anywhere_leaves_whole_commits() {
    const COMMITS: u64 = 6;
    let scratch = Scratch::new();
    let store = open(&scratch.database()).await;
    let (now, later) = (Timestamp(1_000), Timestamp(1_000_000));
    store.join("host", now, later).await.unwrap();
    let key = InstanceKey::new(Namespace::default(), "orders".parse().unwrap(), "a");
    let other = InstanceKey::new(Namespace::default(), "orders".parse().unwrap(), "other");
    let new = |key: &InstanceKey| NewInstance {
        key: key.clone(),
        execution: "run".to_owned(),
        workflow: "order".to_owned(),
        parent: None,
        events: Vec::new(),
        blobs: Vec::new(),
        tasks: Vec::new(),
        ready_at: now,
        created_at: now,
        owner: Some("host".to_owned()),
    };
    store.create(new(&other), &[]).await.unwrap();
    let Ok(Created::New(row)) = store.create(new(&key), &[]).await else {
        panic!("it exists");
    };
    for number in 0..COMMITS {
        let event = |seq| EventRow {
            seq,
            body: Bytes::from(vec![7; 300]),
        };
        let commit = Commit {
            key: key.clone(),
            epoch: row.epoch,
            version: row.version + number,
            now,
            restart: None,
            events: vec![event(2 * number), event(2 * number + 1)],
            blobs: Vec::new(),
            state: berth_blocks::workflow::InstanceState {
                status: Status::Running,
                ..berth_blocks::workflow::InstanceState::pending()
            },
            consumed: Vec::new(),
            sends: vec![berth_blocks::workflow::Outgoing {
                to: other.clone(),
                message: Message {
                    dedup: None,
                    body: Bytes::from_static(b"message"),
                    at: now,
                },
            }],
            starts: Vec::new(),
            tasks: Vec::new(),
            dropped_tasks: Vec::new(),
            release: None,
        };
        store.commit(commit).await.unwrap();
    }
    // The store is open: its log is as a power failure finds it.
    let mut log = scratch.database().into_os_string();
    log.push("-wal");
    let (file, log) = (
        std::fs::read(scratch.database()).unwrap(),
        std::fs::read(log).unwrap(),
    );
    let mut seen = std::collections::BTreeSet::new();
    let step = (log.len() / 150).max(1);
    for end in (0..=log.len()).rev().step_by(step) {
        let torn = Scratch::new();
        std::fs::write(torn.database(), &file).unwrap();
        let mut name = torn.database().into_os_string();
        name.push("-wal");
        std::fs::write(name, &log[..end]).unwrap();
        let connection = Connection::open(torn.database()).unwrap();
        let counted = connection.query_row(
            "SELECT i.version, i.events, (SELECT count(*) FROM workflow_event WHERE inst = i.id), \
             (SELECT count(*) FROM workflow_message) FROM workflow_instance i WHERE key = 'a'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        );
        // Cut before the tables or the instance were made.
        let Ok::<(i64, i64, i64, i64), _>((version, numbered, events, messages)) = counted else {
            continue;
        };
        assert_eq!(
            (numbered, events, messages),
            (2 * (version - 1), 2 * (version - 1), version - 1)
        );
        seen.insert(version);
    }
    assert_eq!(seen.len() as u64, COMMITS + 1, "{seen:?}");
}
