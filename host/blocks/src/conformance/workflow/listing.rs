//! Lists of instances.

use super::{Store, app, commit, ended, key, new};
use crate::workflow::{InstanceKey, InstanceQuery, NewInstance, Status};
use berth_resources::Namespace;

impl Store {
    /// IDs of all pages of a list.
    async fn listed(&self, mut query: InstanceQuery) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let page = self.backend.list(query.clone()).await.expect("a list");
            assert!(page.rows.len() <= query.limit);
            ids.extend(page.rows.iter().map(|row| row.key.id.to_string()));
            match page.next {
                Some(next) => query.token = Some(next),
                None => return ids,
            }
        }
    }
}

/// Every condition of a query, alone.
pub async fn a_list_shows_what_matches(store: Store) {
    store.created("order-1").await;
    let row = store.owned("order-2", "host").await;
    let mut last = commit(&row);
    last.state = ended();
    store.commit(last).await;
    let child = NewInstance {
        parent: Some(key("order-1")),
        workflow: "payment".to_owned(),
        ..new(&key("%child_"))
    };
    store.create(child).await;
    let elsewhere = InstanceKey::new(Namespace::default(), app("carts"), "cart");
    store.create(new(&elsewhere)).await;
    let foreign = "other".parse().expect("a name");
    store
        .create(new(&InstanceKey::new(foreign, app("orders"), "foreign")))
        .await;

    let all = || InstanceQuery::all(Namespace::default(), 10);
    assert_eq!(
        store.listed(all()).await,
        ["cart", "%child_", "order-2", "order-1"]
    );
    let mut of_app = all();
    of_app.app = Some(app("carts"));
    assert_eq!(store.listed(of_app).await, ["cart"]);
    let mut of_workflow = all();
    of_workflow.workflow = Some("payment".to_owned());
    assert_eq!(store.listed(of_workflow).await, ["%child_"]);
    let mut of_status = all();
    of_status.statuses = vec![Status::Completed, Status::Failed];
    let page = store.backend.list(of_status.clone()).await.expect("a list");
    assert_eq!(page.rows[0].state.outcome, None, "outcomes may be large");
    assert_eq!(store.listed(of_status).await, ["order-2"]);
    for (prefix, expected) in [
        ("order-", &["order-2", "order-1"][..]),
        ("%", &["%child_"]),
        ("_", &[]),
    ] {
        let mut of_prefix = all();
        of_prefix.id_prefix = prefix.to_owned();
        assert_eq!(store.listed(of_prefix).await, expected, "{prefix}");
    }
    let children = InstanceQuery::children(key("order-1"), 10);
    assert_eq!(store.listed(children).await, ["%child_"]);
}

/// Newest first.
pub async fn pages_show_every_instance_once(store: Store) {
    for number in 0..25 {
        store.created(&format!("{number:02}")).await;
    }
    let ids = store
        .listed(InstanceQuery::all(Namespace::default(), 7))
        .await;
    let expected: Vec<_> = (0..25).rev().map(|number| format!("{number:02}")).collect();
    assert_eq!(ids, expected);
}

/// Of instances that have not ended, each once.
pub async fn the_code_that_instances_need_is_known(store: Store) {
    for (id, code) in [("a", "2"), ("b", "1"), ("c", "2"), ("ended", "3")] {
        let row = store.owned(id, "host").await;
        let mut first = commit(&row);
        if id == "ended" {
            first.state = ended();
        }
        first.state.code = Some(code.to_owned());
        store.commit(first).await;
    }
    let namespace = Namespace::default();
    let codes = store.backend.codes(&namespace, &app("orders")).await;
    assert_eq!(codes, Ok(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(store.row("a").await.state.code.as_deref(), Some("2"));
    assert_eq!(
        store.backend.codes(&namespace, &app("carts")).await,
        Ok(vec![])
    );
}
