//! What scripts are given: a flat list, taken from the front.

use super::Answer;
use berth_blocks::workflow::{
    Blob, Commit, EventRow, InstanceKey, InstanceQuery, Message, NewInstance, NewTask, Release,
    TaskId, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use std::fmt::Display;

/// The arguments of one call, in one buffer.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Arguments {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = begins.zip(self.ends.iter().copied());
        ranges.map(|(begin, end)| self.bytes.get(begin..end).unwrap_or_default())
    }

    pub(super) fn data(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.data(text.as_bytes())
    }

    pub(super) fn number(&mut self, number: impl Display) -> &mut Self {
        self.text(&number.to_string())
    }

    /// Nothing, or a value behind a mark that tells an empty one from none.
    fn optional(&mut self, value: Option<&[u8]>) -> &mut Self {
        if let Some(value) = value {
            self.bytes.push(b'=');
            self.bytes.extend_from_slice(value);
        }
        self.ends.push(self.bytes.len());
        self
    }

    fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        self.optional(text.map(str::as_bytes))
    }

    fn optional_number(&mut self, number: Option<i64>) -> &mut Self {
        let text = number.map(|number| number.to_string());
        self.optional_text(text.as_deref())
    }

    /// An instance by the name under which its keys lie.
    pub(super) fn key(&mut self, key: &InstanceKey) -> &mut Self {
        self.number(format_args!("{}/{}/{}", key.namespace, key.app, key.id))
    }

    pub(super) fn app(&mut self, namespace: &Namespace, app: &AppId) -> &mut Self {
        self.number(format_args!("{namespace}/{app}"))
    }

    pub(super) fn apps(&mut self, apps: &[(Namespace, AppId)]) -> &mut Self {
        self.number(apps.len());
        for (namespace, app) in apps {
            self.app(namespace, app);
        }
        self
    }

    pub(super) fn message(&mut self, message: &Message) -> &mut Self {
        self.optional_text(message.dedup.as_deref())
            .number(message.at.0)
            .data(&message.body)
    }

    pub(super) fn task(&mut self, task: &TaskId) -> &mut Self {
        self.key(&task.key)
            .number(task.operation)
            .number(task.claim)
    }

    pub(super) fn release(&mut self, release: &Release) -> &mut Self {
        self.number(release.seen.0)
            .number(release.now.0)
            .optional_number(release.ready_at.map(|at| at.0))
    }

    pub(super) fn new_instance(&mut self, new: &NewInstance) -> &mut Self {
        let (key, parent) = (&new.key, new.parent.as_ref());
        self.key(key)
            .text(key.namespace.as_str())
            .text(key.app.as_str())
            .text(&key.id)
            .text(&new.execution)
            .text(&new.workflow)
            .optional_text(parent.map(|parent| parent.app.as_str()))
            .optional_text(parent.map(|parent| &*parent.id))
            .optional_text(new.owner.as_deref())
            .number(new.ready_at.0)
            .number(new.created_at.0)
            .events(&new.events)
            .blobs(&new.blobs)
            .tasks(&new.tasks)
    }

    fn events(&mut self, events: &[EventRow]) -> &mut Self {
        self.number(events.len());
        for event in events {
            self.data(&event.body);
        }
        self
    }

    fn blobs(&mut self, blobs: &[Blob]) -> &mut Self {
        self.number(blobs.len());
        for blob in blobs {
            self.text(&blob.digest).data(&blob.bytes);
        }
        self
    }

    fn tasks(&mut self, tasks: &[NewTask]) -> &mut Self {
        self.number(tasks.len());
        for task in tasks {
            self.number(task.operation)
                .text(task.app.as_str())
                .number(task.visible_at.0)
                .data(&task.body);
        }
        self
    }

    pub(super) fn commit(&mut self, commit: &Commit) -> &mut Self {
        let (state, waiting) = (&commit.state, commit.state.waiting.as_ref());
        self.key(&commit.key)
            .number(commit.epoch)
            .number(commit.version)
            .number(commit.now.0)
            .optional_text(commit.restart.as_deref())
            .events(&commit.events)
            .blobs(&commit.blobs)
            .text(state.status.name())
            .optional_text(waiting.map(|waiting| waiting.on.as_str()))
            .optional_number(waiting.map(|waiting| waiting.since.0))
            .optional_text(state.custom_status.as_deref())
            .optional_text(state.code.as_deref())
            .optional_text(state.problem.as_deref())
            .optional(state.outcome.as_deref())
            .optional_number(state.finished_at.map(|at| at.0))
            .optional_number(state.expires_at.map(|at| at.0));
        self.number(commit.consumed.len());
        for message in &commit.consumed {
            self.number(message.0);
        }
        self.number(commit.dropped_tasks.len());
        for operation in &commit.dropped_tasks {
            self.number(operation);
        }
        self.tasks(&commit.tasks);
        self.number(commit.starts.len());
        for start in &commit.starts {
            self.new_instance(&start.instance).message(&start.refused);
        }
        self.number(commit.sends.len());
        for outgoing in &commit.sends {
            self.key(&outgoing.to).message(&outgoing.message);
        }
        self.number(u8::from(commit.release.is_some()));
        if let Some(release) = &commit.release {
            self.release(release);
        }
        self
    }

    /// A look at `looks` instances below a number, for `wanted` that match.
    pub(super) fn list(
        &mut self,
        query: &InstanceQuery,
        below: &str,
        looks: usize,
        wanted: usize,
    ) -> &mut Self {
        match &query.parent {
            Some(parent) => self.number(format_args!(
                "children:{}/{}/{}",
                parent.namespace, parent.app, parent.id
            )),
            None => self.number(format_args!("all:{}", query.namespace)),
        };
        self.text(below).number(looks).number(wanted);
        self.optional_text(query.app.as_ref().map(AppId::as_str))
            .optional_text(query.workflow.as_deref())
            .text(&query.id_prefix)
            .number(query.statuses.len());
        for status in &query.statuses {
            self.text(status.name());
        }
        self
    }
}

/// Where a page begins, by the token of the one before.
pub(super) fn below(token: Option<&str>) -> Answer<String> {
    match token {
        None => Ok("+inf".to_owned()),
        Some(token) if token.parse::<u64>().is_ok() => Ok(format!("({token}")),
        Some(token) => Err(WorkflowStoreError::NotAllowed(format!(
            "token {token:?} is not one that a list gave"
        ))),
    }
}
