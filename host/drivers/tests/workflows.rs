//! Where workflows lie, by documents and the drivers of this build.
#![allow(clippy::unwrap_used, missing_docs)]

use berth_blocks::{
    OpenPlan, open,
    registry::Connections,
    workflow::{Timestamp, WorkflowStore},
};
use berth_resources::{Component, ComponentType, MetadataItem, MetadataValue, Namespace, Origin};
use berth_servers::{Postgres, Redis, RedisOptions};
use std::{path::Path, sync::Arc, time::Duration};

fn plan(data_dir: &Path) -> OpenPlan {
    OpenPlan {
        data_dir: data_dir.to_owned(),
        connections: Connections::default(),
        apps: Vec::new(),
        native: Vec::new(),
        configurations: Vec::new(),
        resiliencies: Vec::new(),
    }
}

/// A document that keeps workflows.
fn chosen(kind: &str, version: &str, entries: &[(&str, &str)]) -> Component {
    let all = entries.iter().chain([&("actorStateStore", "true")]);
    let metadata = all.map(|(name, value)| MetadataItem {
        name: (*name).to_owned(),
        value: MetadataValue::Plain((*value).to_owned()),
        origin: Origin::defaults(),
    });
    Component {
        name: "own".to_owned(),
        namespace: Namespace::default(),
        kind: ComponentType(kind.to_owned()),
        type_origin: Origin::defaults(),
        version: version.to_owned(),
        metadata: metadata.collect(),
        secret_store: None,
        scopes: Vec::new(),
        init_timeout: Duration::from_secs(5),
        ignore_errors: false,
        origin: Origin::defaults(),
    }
}

/// The store that a host would use, which a host has joined.
async fn joined(data_dir: &Path, documents: &[Component]) -> (String, Arc<dyn WorkflowStore>) {
    let (registry, plan) = (berth_drivers::registry(), plan(data_dir));
    let (backends, findings) = open(documents, &registry, &plan, None).await;
    assert!(findings.is_empty(), "{findings:?}");
    let found = backends.workflow_backend(&Namespace::default()).await;
    let found = found.unwrap();
    let (now, until) = (Timestamp(1_000), Timestamp(2_000));
    found.store.join("host", now, until).await.unwrap();
    (format!("{} {}", found.name, found.kind.0), found.store)
}

#[tokio::test]
async fn without_a_choice_workflows_lie_in_the_embedded_file() {
    let folder = tempfile::tempdir().unwrap();
    let (what, store) = joined(folder.path(), &[]).await;
    assert_eq!(what, "statestore state.sqlite");
    assert!(!store.is_shared());
    assert!(folder.path().join("default/berth.db").is_file());
}

#[tokio::test]
async fn every_state_store_can_keep_workflows() {
    let folder = tempfile::tempdir().unwrap();
    let database = Postgres::shared().await;
    let server = Redis::start(RedisOptions::new()).await;
    let (url, address) = (database.url(), server.address());
    let file = folder.path().join("own.db").display().to_string();
    let documents = [
        (chosen("state.in-memory", "v1", &[]), false),
        (
            chosen("state.sqlite", "v1", &[("connectionString", &file)]),
            false,
        ),
        (
            chosen("state.postgresql", "v2", &[("connectionString", &url)]),
            true,
        ),
        (
            chosen("state.redis", "v1", &[("redisHost", &address)]),
            true,
        ),
    ];
    for (document, is_shared) in documents {
        let expected = format!("own {}", document.kind.0);
        let (what, store) = joined(folder.path(), &[document]).await;
        assert_eq!((what, store.is_shared()), (expected, is_shared));
    }
}
