//! The queue of activities.

use super::{NOW, Store, app, at, commit, message, task};
use crate::workflow::{ClaimedTask, NewTask, Timestamp};
use berth_resources::{AppId, Namespace};

impl Store {
    async fn take(&self, app: &AppId, now: Timestamp, until: Timestamp) -> Vec<ClaimedTask> {
        let apps = [(Namespace::default(), app.clone())];
        let tasks = self.backend.claim_tasks(&apps, now, until, 10).await;
        tasks.expect("a claim succeeds")
    }

    async fn queue(&self, id: &str, tasks: Vec<NewTask>) {
        let row = self.owned(id, "host").await;
        let mut next = commit(&row);
        next.tasks = tasks;
        self.commit(next).await;
    }
}

/// By whoever serves the app, when they are visible, oldest first.
pub async fn tasks_are_claimed_by_app_and_time(store: Store) {
    let elsewhere = NewTask {
        app: app("payments"),
        ..task(3)
    };
    let later = NewTask {
        visible_at: at(100),
        ..task(2)
    };
    store
        .queue("a", vec![task(9), later, elsewhere, task(1)])
        .await;
    let operations = |tasks: Vec<ClaimedTask>| {
        let tasks = tasks.into_iter();
        tasks.map(|task| task.id.operation).collect::<Vec<_>>()
    };
    let (orders, payments) = (app("orders"), app("payments"));
    let first = store.take(&orders, NOW, at(1_000)).await;
    assert_eq!(
        (first[0].deliveries, &first[0].body[..]),
        (1, &b"task 9"[..])
    );
    assert_eq!(operations(first), [9, 1]);
    assert_eq!(store.take(&orders, NOW, at(1_000)).await, []);
    assert_eq!(operations(store.take(&payments, NOW, at(1_000)).await), [3]);
    assert_eq!(
        operations(store.take(&orders, at(100), at(1_000)).await),
        [2]
    );
}

/// Its result goes to the instance, once.
pub async fn a_finished_task_tells_its_instance(store: Store) {
    store.queue("a", vec![task(1)]).await;
    let claimed = store.take(&app("orders"), NOW, at(100)).await;
    let id = &claimed[0].id;
    assert_eq!(
        store.backend.finish_task(id, message("result")).await,
        Ok(true)
    );
    assert_eq!(
        store.backend.finish_task(id, message("result")).await,
        Ok(false)
    );
    assert_eq!(store.inbox("a").await.len(), 1);
    assert_eq!(store.take(&app("orders"), at(1_000), at(2_000)).await, []);
}

/// Unless it is kept; whoever had it before can finish it no more.
pub async fn a_task_comes_again_when_its_claim_ends(store: Store) {
    store.queue("a", vec![task(1)]).await;
    let orders = app("orders");
    let first = store.take(&orders, NOW, at(100)).await.remove(0);
    let ids = [first.id.clone()];
    assert_eq!(store.backend.renew_tasks(&ids, at(200)).await, Ok(vec![]));
    assert_eq!(store.take(&orders, at(199), at(1_000)).await, []);
    let second = store.take(&orders, at(200), at(1_000)).await.remove(0);
    assert_eq!(second.deliveries, 2);
    assert_eq!(
        store.backend.renew_tasks(&ids, at(9_000)).await,
        Ok(ids.to_vec())
    );
    assert_eq!(
        store.backend.finish_task(&first.id, message("late")).await,
        Ok(false)
    );
    assert_eq!(
        store
            .backend
            .finish_task(&second.id, message("result"))
            .await,
        Ok(true)
    );
}

/// A claim on what was there before counts for neither.
pub async fn a_task_can_be_replaced_and_dropped(store: Store) {
    store.queue("a", vec![task(1), task(2)]).await;
    let orders = app("orders");
    let claimed = store.take(&orders, NOW, at(10_000)).await;
    let row = store.row("a").await;
    let mut next = commit(&row);
    next.tasks = vec![task(1)];
    next.dropped_tasks = vec![2];
    store.commit(next).await;
    for former in claimed {
        assert_eq!(
            store.backend.finish_task(&former.id, message("late")).await,
            Ok(false)
        );
    }
    let again = store.take(&orders, NOW, at(10_000)).await;
    assert_eq!(
        (again.len(), again[0].deliveries, again[0].id.operation),
        (1, 1, 1)
    );
}
