//! Histories that earlier versions recorded: whatever is changed, they must be read and replayed.
//!
//! `BERTH_RECORD=1 cargo test -p berth-workflow --test simulation golden` adds those of this version: once, with its
//! release. What is there is never written again.

use crate::{
    disk::Disk,
    program::Program,
    run::{Options, Story, simulate},
    world::at_once,
};
use berth_blocks::workflow::{InstanceKey, Status};
use berth_workflow::{Event, Replay, WorkflowEnd, replay};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

/// Stories that are recorded.
const SEEDS: u64 = 24;

/// A finished instance.
#[derive(Serialize, Deserialize)]
struct Recorded {
    id: String,
    seed: u64,
    depth: u32,
    /// As they are stored, in hexadecimal digits.
    events: Vec<String>,
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

/// Instances that completed and whose payloads all lie in their history.
fn record() -> Vec<Recorded> {
    let stories = (0..SEEDS).map(|seed| simulate(seed, Options::FAULTY));
    let all = stories.flat_map(|story| story.histories);
    all.filter(|(_, state, _)| state.status == Status::Completed)
        .filter_map(|(key, _, bodies)| {
            let is_large = |body: &Bytes| String::from_utf8_lossy(body).contains("\"b\":\"");
            let large = bodies.iter().any(is_large);
            let input = Event::decode(&bodies[0]).ok()?.payload?;
            let [seed, depth, ..]: [u64; 4] = serde_json::from_slice(&input.data).ok()?;
            (!large).then(|| Recorded {
                id: key.id.to_string(),
                seed,
                depth: u32::try_from(depth).unwrap(),
                events: bodies.iter().map(|body| to_hex(body)).collect(),
            })
        })
        .collect()
}

#[test]
fn golden_histories_of_every_version_are_replayed() {
    if std::env::var_os("BERTH_RECORD").is_some() {
        let file = folder().join(format!("{}.json", env!("CARGO_PKG_VERSION")));
        assert!(!file.exists(), "{} is there", file.display());
        fs::create_dir_all(folder()).unwrap();
        let lines = record().into_iter();
        let lines = lines.map(|one| serde_json::to_string(&one).unwrap() + "\n");
        fs::write(file, lines.collect::<String>()).unwrap();
    }
    let guests = Story::new(0, Options::CALM, Disk::default()).guests(vec![]);
    let mut count = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let recorded: Recorded = serde_json::from_str(line).unwrap();
            let events = recorded.events.into_iter();
            let events: Vec<_> = events
                .map(|event| Event::decode(&from_hex(&event).into()).unwrap())
                .collect();
            let app = "app".parse().unwrap();
            let key = InstanceKey::new("default".parse().unwrap(), app, &recorded.id);
            let expected = Program::of(recorded.seed, recorded.depth).expected();
            let what = format!("{}: {}", path.display(), recorded.id);
            match at_once(replay(&guests, &key, events, None)) {
                Replay::Ended(WorkflowEnd::Completed(payload)) => {
                    assert_eq!(payload.data, expected.to_string().as_bytes(), "{what}");
                }
                other => panic!("{what} replays to {other:?}"),
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
