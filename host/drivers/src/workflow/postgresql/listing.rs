//! Lists of instances: statements that are put together for each question, since most have few conditions.

use super::{
    Answer, Tables,
    rows::{COLUMNS, count, field, instance},
};
use crate::postgresql::{Database, Statement};
use berth_blocks::workflow::{InstancePage, InstanceQuery, WorkflowStoreError};
use tokio_postgres::types::{ToSql, Type};

/// Conditions of a query, with their values.
#[derive(Default)]
struct Conditions {
    texts: Vec<String>,
    types: Vec<Type>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    /// `condition` has a `$`, the place of the value.
    fn require(&mut self, condition: &str, of: Type, value: impl ToSql + Sync + Send + 'static) {
        self.values.push(Box::new(value));
        self.types.push(of);
        let place = format!("${}", self.values.len());
        self.texts.push(condition.replace('$', &place));
    }
}

fn conditions(query: &InstanceQuery) -> Answer<Conditions> {
    let mut all = Conditions::default();
    all.require("i.namespace = $", Type::TEXT, query.namespace.to_string());
    if let Some(app) = &query.app {
        all.require("i.app = $", Type::TEXT, app.to_string());
    }
    if let Some(workflow) = &query.workflow {
        all.require("i.workflow = $", Type::TEXT, workflow.clone());
    }
    if !query.statuses.is_empty() {
        let names = query.statuses.iter().map(|status| status.name());
        let names: Vec<&'static str> = names.collect();
        all.require("i.status = ANY ($)", Type::TEXT_ARRAY, names);
    }
    if !query.id_prefix.is_empty() {
        all.require("starts_with(i.key, $)", Type::TEXT, query.id_prefix.clone());
    }
    if let Some(parent) = &query.parent {
        all.require("i.parent_app = $", Type::TEXT, parent.app.to_string());
        all.require("i.parent_key = $", Type::TEXT, parent.id.to_string());
    }
    if let Some(token) = &query.token {
        let Ok(after) = token.parse::<i64>() else {
            let text = format!("token {token:?} is not one that a list gave");
            return Err(WorkflowStoreError::NotAllowed(text));
        };
        all.require("i.id < $", Type::INT8, after);
    }
    Ok(all)
}

/// Newest first; the token is the number of the last instance of the page before.
pub(super) async fn list(
    database: &Database,
    tables: &Tables,
    query: &InstanceQuery,
) -> Answer<InstancePage> {
    let mut conditions = conditions(query)?;
    let one_more = count(query.limit).saturating_add(1);
    let condition = conditions.texts.join(" AND ");
    conditions.require("$", Type::INT8, one_more);
    let limit = conditions.texts.last().map_or("", String::as_str);
    let text = format!(
        "SELECT {} FROM {} i WHERE {condition} ORDER BY i.id DESC LIMIT {limit}",
        COLUMNS.replace("i.outcome", "NULL::bytea"),
        tables.instance
    );
    let values: Vec<&(dyn ToSql + Sync)> = conditions
        .values
        .iter()
        .map(|value| &**value as &(dyn ToSql + Sync))
        .collect();
    let rows = database
        .rows(&Statement::for_once(text, &conditions.types), &values)
        .await?;
    let more = rows.len() > query.limit;
    let page = rows.get(..query.limit).unwrap_or(&rows);
    let last = page.last().map(|row| field::<i64>(row, 0)).transpose()?;
    Ok(InstancePage {
        rows: page.iter().map(instance).collect::<Answer<_>>()?,
        next: last.filter(|_| more).map(|last| last.to_string()),
    })
}
