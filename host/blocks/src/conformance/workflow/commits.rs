//! Creation, commits and their guards.

use super::{
    NOW, Store, app, assert_fenced, at, commit, ended, event, key, message, new, running, task,
};
use crate::workflow::{
    Blob, Created, InstanceKey, InstanceState, NewInstance, Outgoing, StartChild, Status,
    WorkflowStoreError,
};
use berth_resources::Namespace;
use bytes::Bytes;

/// Whoever comes second is told what exists.
pub async fn an_instance_is_created_once(store: Store) {
    let first = store.created("a").await;
    assert_eq!((first.version, first.events), (1, 1));
    assert_eq!((first.state, first.owner), (InstanceState::pending(), None));
    let again = NewInstance {
        execution: "another run".to_owned(),
        ..new(&key("a"))
    };
    match store.backend.create(again, &Status::TERMINAL).await {
        Ok(Created::Exists(row)) => assert_eq!(row.execution, first.execution),
        other => panic!("{other:?}"),
    }
    let elsewhere = InstanceKey::new(Namespace::default(), app("carts"), "a");
    store.create(new(&elsewhere)).await;
    assert_eq!(store.events("a").await, [event(0)]);
}

/// One of many creations wins.
pub async fn concurrent_creations_have_one_winner(store: Store) {
    let creations = (0..20).map(|number| {
        let instance = NewInstance {
            execution: format!("run {number}"),
            ..new(&key("a"))
        };
        store.backend.create(instance, &Status::TERMINAL)
    });
    let answers = futures::future::join_all(creations).await;
    let winners: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| match answer.expect("a creation succeeds") {
            Created::New(row) => Some(row.execution),
            Created::Exists(_) => None,
        })
        .collect();
    assert_eq!(winners, [store.row("a").await.execution]);
}

/// Nothing of the former run is left, and its owner can write no more.
pub async fn an_ended_instance_makes_room_if_it_may(store: Store) {
    let row = store.owned("a", "host").await;
    let mut last = commit(&row);
    last.state = ended();
    last.events = vec![event(1)];
    last.blobs = vec![Blob {
        digest: "d".to_owned(),
        bytes: Bytes::from_static(b"old"),
    }];
    store.commit(last).await;
    let again = || NewInstance {
        execution: "second run".to_owned(),
        ..new(&key("a"))
    };
    let kept = store.backend.create(again(), &[Status::Failed]).await;
    assert!(matches!(kept, Ok(Created::Exists(_))), "{kept:?}");
    let replaced = store.backend.create(again(), &[Status::Completed]).await;
    let Ok(Created::New(second)) = replaced else {
        panic!("{replaced:?}");
    };
    assert!(second.epoch > row.epoch && second.version > row.version);
    assert_eq!((second.events, second.state), (1, InstanceState::pending()));
    assert_eq!(store.events("a").await, [event(0)]);
    assert_eq!(store.backend.blob(&key("a"), "d").await, Ok(None));
    assert_fenced(store.backend.commit(commit(&row)).await);
}

/// Events, row, payloads, messages, children and tasks.
pub async fn a_commit_applies_everything(store: Store) {
    store.created("other").await;
    let row = store.owned("a", "host").await;
    store.send("a", message("taken in")).await;
    let taken_in = store.inbox("a").await[0].0;
    let child = NewInstance {
        parent: Some(key("a")),
        ..new(&key("child"))
    };
    let mut all = commit(&row);
    all.now = at(5);
    all.events = vec![event(1), event(2)];
    all.state.custom_status = Some("half way".to_owned());
    all.blobs = vec![Blob {
        digest: "d".to_owned(),
        bytes: Bytes::from(vec![0; 100_000]),
    }];
    all.consumed = vec![taken_in];
    all.sends = vec![Outgoing {
        to: key("other"),
        message: message("hello"),
    }];
    all.starts = vec![StartChild {
        instance: child,
        refused: message("refused"),
    }];
    all.tasks = vec![task(1)];
    let written = all.state.clone();
    let version = store.commit(all).await;
    let stored = store.row("a").await;
    assert_eq!((stored.version, stored.events), (version, 3));
    assert_eq!((stored.state, stored.updated_at), (written, at(5)));
    assert_eq!(stored.owner.as_deref(), Some("host"));
    assert_eq!(store.events("a").await, [event(0), event(1), event(2)]);
    assert_eq!(
        store.backend.history(&key("a"), 1, 1).await,
        Ok(vec![event(1)])
    );
    let blob = store
        .backend
        .blob(&key("a"), "d")
        .await
        .expect("a read succeeds");
    assert_eq!(blob.map(|blob| blob.len()), Some(100_000));
    assert_eq!(store.inbox("a").await, []);
    assert_eq!(store.inbox("other").await.len(), 1);
    assert_eq!(store.row("child").await.parent, Some(key("a")));
    let tasks = [(Namespace::default(), app("orders"))];
    let claimed = store.backend.claim_tasks(&tasks, at(5), at(6), 10).await;
    assert_eq!(claimed.expect("a claim succeeds").len(), 1);
}

/// A writer that is not the owner, or has not seen the last version.
pub async fn a_stale_commit_changes_nothing(store: Store) {
    let row = store.owned("a", "host").await;
    store.created("other").await;
    let mut first = commit(&row);
    first.events = vec![event(1)];
    store.commit(first).await;
    let current = store.row("a").await;
    for stale in ["epoch", "version"] {
        let mut late = commit(&current);
        late.events = vec![event(2)];
        late.sends = vec![Outgoing {
            to: key("other"),
            message: message("from a ghost"),
        }];
        late.tasks = vec![task(1)];
        match stale {
            "epoch" => late.epoch -= 1,
            _ => late.version -= 1,
        }
        assert_fenced(store.backend.commit(late).await);
    }
    assert_eq!(store.row("a").await, current);
    assert_eq!(store.events("a").await.len(), 2);
    assert_eq!(store.inbox("other").await, []);
    let unowned = store.row("other").await;
    assert_fenced(store.backend.commit(commit(&unowned)).await);
}

/// Two writers that have seen the same.
pub async fn concurrent_commits_have_one_winner(store: Store) {
    let row = store.owned("a", "host").await;
    let commits = (0..10).map(|_| {
        let mut next = commit(&row);
        next.events = vec![event(1)];
        store.backend.commit(next)
    });
    let answers = futures::future::join_all(commits).await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(won, 1, "{answers:?}");
    assert_eq!(store.events("a").await.len(), 2);
}

/// History, payloads and tasks go; the inbox stays.
pub async fn continuing_as_new_begins_an_empty_history(store: Store) {
    let row = store.owned("a", "host").await;
    let mut first = commit(&row);
    first.events = vec![event(1)];
    first.tasks = vec![task(1)];
    first.blobs = vec![Blob {
        digest: "old".to_owned(),
        bytes: Bytes::from_static(b"old"),
    }];
    store.commit(first).await;
    store.send("a", message("kept")).await;
    let mut next = commit(&store.row("a").await);
    next.restart = Some("second run".to_owned());
    next.events = vec![event(0)];
    next.blobs = vec![Blob {
        digest: "new".to_owned(),
        bytes: Bytes::from_static(b"new"),
    }];
    store.commit(next).await;
    let row = store.row("a").await;
    assert_eq!((row.execution.as_str(), row.events), ("second run", 1));
    assert_eq!(store.events("a").await, [event(0)]);
    assert_eq!(store.backend.blob(&key("a"), "old").await, Ok(None));
    let new = store
        .backend
        .blob(&key("a"), "new")
        .await
        .expect("a read succeeds");
    assert_eq!(new.as_deref(), Some(&b"new"[..]));
    assert_eq!(store.inbox("a").await.len(), 1);
    let apps = [(Namespace::default(), app("orders"))];
    assert_eq!(
        store.backend.claim_tasks(&apps, NOW, at(1), 10).await,
        Ok(vec![])
    );
}

/// The parent learns of it in the same commit.
pub async fn a_child_whose_id_is_taken_is_refused(store: Store) {
    let taken = store.created("child").await;
    let row = store.owned("a", "host").await;
    let mut start = commit(&row);
    start.starts = vec![StartChild {
        instance: NewInstance {
            execution: "of the child".to_owned(),
            ..new(&key("child"))
        },
        refused: message("refused"),
    }];
    store.commit(start).await;
    assert_eq!(store.row("child").await.execution, taken.execution);
    let inbox = store.inbox("a").await;
    assert_eq!(
        inbox.iter().map(|(_, body)| &body[..]).collect::<Vec<_>>(),
        [b"refused"]
    );
}

/// An instance that has ended is nobody's, is not claimed, and takes no commit.
pub async fn an_ended_instance_is_final(store: Store) {
    let row = store.owned("a", "host").await;
    store.send("a", message("too late")).await;
    let mut last = commit(&row);
    last.state = ended();
    last.tasks = vec![task(1)];
    store.commit(last).await;
    let row = store.row("a").await;
    assert_eq!((row.owner.as_ref(), row.ready_at), (None, None));
    assert_eq!(row.state, ended());
    assert_eq!(store.inbox("a").await, []);
    assert!(store.claimed_ids("host", at(1_000_000)).await.is_empty());
    let mut again = commit(&row);
    again.state = running();
    assert_fenced(store.backend.commit(again).await);
    let apps = [(Namespace::default(), app("orders"))];
    assert_eq!(
        store.backend.claim_tasks(&apps, NOW, at(1), 10).await,
        Ok(vec![])
    );
}

/// Without a trace: an instance of the same ID is a new one.
pub async fn a_purge_leaves_nothing(store: Store) {
    let row = store.owned("a", "host").await;
    let mut first = commit(&row);
    first.events = vec![event(1)];
    first.tasks = vec![task(1)];
    first.blobs = vec![Blob {
        digest: "d".to_owned(),
        bytes: Bytes::from_static(b"old"),
    }];
    store.commit(first).await;
    let mut dedup = message("once");
    dedup.dedup = Some("id".to_owned());
    store.send("a", dedup.clone()).await;
    let refused = store.backend.purge(&key("a"), false).await;
    assert!(
        matches!(refused, Err(WorkflowStoreError::NotAllowed(_))),
        "{refused:?}"
    );
    assert_eq!(store.backend.purge(&key("a"), true).await, Ok(true));
    assert_eq!(store.backend.purge(&key("a"), true).await, Ok(false));
    assert_eq!(store.backend.get(&key("a")).await, Ok(None));
    assert_fenced(store.backend.commit(commit(&row)).await);
    store.created("a").await;
    assert_eq!(store.events("a").await, [event(0)]);
    assert_eq!(store.inbox("a").await, []);
    assert_eq!(store.backend.blob(&key("a"), "d").await, Ok(None));
    assert_eq!(
        store.send("a", dedup).await,
        crate::workflow::Sent::Accepted
    );
    let apps = [(Namespace::default(), app("orders"))];
    assert_eq!(
        store.backend.claim_tasks(&apps, NOW, at(1), 10).await,
        Ok(vec![])
    );
}

/// Those whose time has come, and no others.
pub async fn retention_purges_what_has_expired(store: Store) {
    for id in ["a", "b", "kept", "running"] {
        let row = store.owned(id, "host").await;
        let mut last = commit(&row);
        if id != "running" {
            last.state = ended();
        }
        if id == "kept" {
            last.state.expires_at = None;
        }
        store.commit(last).await;
    }
    assert_eq!(store.backend.purge_expired(at(999), 10).await, Ok(0));
    assert_eq!(store.backend.purge_expired(at(1_000), 1).await, Ok(1));
    assert_eq!(store.backend.purge_expired(at(1_000), 10).await, Ok(1));
    assert_eq!(store.backend.purge_expired(at(1_000), 10).await, Ok(0));
    store.row("kept").await;
    store.row("running").await;
}

/// All of it, for durable stores.
pub async fn what_was_committed_survives_a_restart(store: Store) {
    let row = store.owned("a", "host").await;
    store.send("a", message("waits")).await;
    let mut first = commit(&row);
    first.events = vec![event(1)];
    first.tasks = vec![task(1)];
    store.commit(first).await;
    let before = store.row("a").await;
    let Some(store) = store.restarted().await else {
        return;
    };
    let after = store.row("a").await;
    assert_eq!((after.version, after.events), (before.version, 2));
    assert_eq!(after.state, before.state);
    assert_eq!(store.events("a").await, [event(0), event(1)]);
    assert_eq!(store.inbox("a").await.len(), 1);
    let apps = [(Namespace::default(), app("orders"))];
    let tasks = store.backend.claim_tasks(&apps, NOW, at(1), 10).await;
    assert_eq!(tasks.expect("a claim succeeds").len(), 1);
}
