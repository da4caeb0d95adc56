use super::*;
use crate::sqlite::Location;
use berth_blocks::{
    registry::Connections,
    state::{Concurrency, Precondition},
};
use bytes::Bytes;
use std::{path::Path, time::SystemTime};

fn context(data_dir: &Path) -> OpenContext {
    OpenContext {
        name: "statestore".to_owned(),
        namespace: "default".parse().unwrap(),
        data_dir: data_dir.to_owned(),
        apps: Vec::new(),
        connections: Connections::default(),
    }
}

fn metadata(entries: serde_json::Value) -> SqliteMetadata {
    let mut table = serde_json::Map::new();
    table.extend(entries.as_object().cloned().unwrap_or_default());
    berth_blocks::registry::metadata::parse(&table).unwrap()
}

async fn open_in(folder: &Path) -> SqliteState {
    open(context(folder), metadata(serde_json::json!({})))
        .await
        .unwrap()
}

fn set(key: &str, value: impl Into<Bytes>) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: value.into(),
        precondition: Precondition::None,
        consistency: None,
        ttl: None,
        content_type: None,
        metadata: Vec::new(),
    }
}

async fn value(store: &SqliteState, key: &str) -> Option<Bytes> {
    let entry = store.get(key, &GetOptions::default()).await.unwrap();
    entry.map(|entry| entry.value)
}

#[tokio::test]
async fn every_sequence_of_bytes_comes_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path()).await;
    let values: [&[u8]; 6] = [
        b"",
        b"{\"a\": 1 }",
        "größe".as_bytes(),
        b"\xff\xfe",
        b"a\0b",
        b"\xef\xbb\xbfx",
    ];
    for bytes in values {
        store
            .set(set("key", Bytes::from_static(bytes)))
            .await
            .unwrap();
        assert_eq!(value(&store, "key").await.as_deref(), Some(bytes));
    }
}
