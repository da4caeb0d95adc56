//! What a scenario came to, as a whole: for snapshots, and to compare runs of which one was disturbed.

use crate::{Answer, Records, World, journal::readable};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The outcome of a scenario.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Picture {
    /// Answers, in the order of the requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) answers: Vec<Value>,
    /// By backend and stored key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) state: BTreeMap<String, BTreeMap<String, Value>>,
    /// Data by backend and topic.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) published: BTreeMap<String, Vec<Value>>,
    /// Requests by app.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) invocations: BTreeMap<String, Vec<Value>>,
    /// Instances by app and ID.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) workflows: BTreeMap<String, Value>,
}

impl Picture {
    /// Takes it.
    pub(crate) fn of(world: &World, answers: &[Answer]) -> Result<Self, String> {
        let records = world.records();
        let mut state = world.all_state()?;
        state.retain(|_, values| !values.is_empty());
        Ok(Self {
            answers: answers.iter().map(shown).collect(),
            state,
            published: published(&records),
            invocations: invocations(&records),
            workflows: workflows(world)?,
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn shown(answer: &Answer) -> Value {
    json!({ "status": answer.status, "body": readable(&answer.body) })
}

fn published(records: &Records) -> BTreeMap<String, Vec<Value>> {
    let mut published = BTreeMap::<_, Vec<_>>::new();
    for message in &records.published {
        let name = format!("{}/{}", message.pubsub, message.topic);
        published.entry(name).or_default().push(message.data());
    }
    published
}

fn invocations(records: &Records) -> BTreeMap<String, Vec<Value>> {
    let mut invocations = BTreeMap::<_, Vec<_>>::new();
    for call in &records.invocations {
        let path = match call.query.as_str() {
            "" => call.path.clone(),
            query => format!("{}?{query}", call.path),
        };
        let request = json!({
            "request": format!("{} {path}", call.method),
            "body": readable(&call.body),
        });
        let of = invocations.entry(call.of.clone()).or_default();
        of.push(request);
    }
    invocations
}

fn workflows(world: &World) -> Result<BTreeMap<String, Value>, String> {
    let mut workflows = BTreeMap::new();
    for key in world.instances() {
        let Some(instance) = world.instance(Some(&key.app), &key.id)? else {
            continue;
        };
        let row = &instance.view.row;
        let outcome = match &instance.view.outcome {
            Some(Ok(payload)) => readable(&payload.data),
            Some(Err(failure)) => json!({ "kind": failure.kind, "message": failure.message }),
            None => Value::Null,
        };
        let shown = json!({
            "workflow": row.workflow,
            "status": row.state.status.name(),
            "outcome": outcome,
        });
        workflows.insert(format!("{}/{}", key.app, key.id), shown);
    }
    Ok(workflows)
}
