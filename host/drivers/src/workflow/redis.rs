//! Workflow instances in Redis, beside `state.redis`.
//!
//! Every call is one script: the server runs nothing else meanwhile, and writes what the script did to its log as one
//! transaction. Commits of many instances travel together on the shared connection, and a server that waits for its disk
//! (`appendfsync always`) does so once for all that it has read. All keys of a store have one hash tag, hence lie on one
//! server of a Cluster: a commit may reach any instance of the namespace. What the server loses when it ends, this
//! store loses (see `durability`).

mod arguments;
mod durability;
mod rows;
mod scripts;
#[cfg(test)]
mod tests;

pub(crate) use durability::Durability;

use crate::redis::{Failure, Fault, Redis};
use arguments::Arguments;
use async_trait::async_trait;
use berth_blocks::workflow::{
    ClaimRequest, ClaimedTask, Claims, Commit, Created, EventRow, InstanceKey, InstancePage,
    InstanceQuery, InstanceRow, Message, MessageId, NewInstance, Release, Sent, Status,
    StoredMessage, TaskId, Timestamp, WorkflowStore, WorkflowStoreError,
};
use berth_resources::{AppId, Namespace};
use bytes::Bytes;
use redis::{Value, cmd};
use rows::Parts;
use scripts::Script;
use std::sync::Arc;
use tokio::sync::OnceCell;

type Answer<T> = Result<T, WorkflowStoreError>;

/// Hosts that own nothing are forgotten when their lease has ended as long ago.
const FORGET_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;
/// Instances that one script of a list looks at: the server answers nobody else meanwhile.
const LOOKS: usize = 500;

/// The workflow store of a Redis.
pub(crate) struct RedisWorkflows {
    /// Shared with the other backends of the same metadata.
    redis: Arc<Redis>,
    /// What every key begins with; holds the hash tag.
    base: String,
    durability: Durability,
    /// Set once the server's durability was looked at.
    looked: OnceCell<()>,
}

impl RedisWorkflows {
    /// The store of a namespace.
    pub(crate) fn new(redis: Arc<Redis>, namespace: &Namespace, durability: Durability) -> Self {
        Self {
            redis,
            base: format!("{{berth-workflow:{namespace}}}"),
            durability,
            looked: OnceCell::new(),
        }
    }

    /// Runs a script, whose first key is what all keys begin with.
    async fn run(&self, script: &Script, arguments: &Arguments) -> Answer<Value> {
        let known = script.by_hash(&self.base, arguments);
        match self.redis.call(&known).await {
            // The server was restarted, or is another one.
            Err(failure) if failure.code() == Some("NOSCRIPT") => Ok(self
                .redis
                .call(&script.in_full(&self.base, arguments))
                .await?),
            answer => Ok(answer?),
        }
    }

    async fn hosts(&self, what: &str, owner: &str, until: i64, now: Option<i64>) -> Answer<()> {
        let mut arguments = Arguments::default();
        arguments.text(what).text(owner).number(until);
        if let Some(now) = now {
            arguments.number(now.saturating_sub(FORGET_AFTER_MS));
        }
        self.run(&scripts::HOSTS, &arguments).await.map(drop)
    }

    /// What is asked of an instance that must exist.
    async fn read(&self, key: &InstanceKey, arguments: &Arguments) -> Answer<Parts> {
        match self.run(&scripts::READ, arguments).await? {
            Value::Nil => Err(WorkflowStoreError::NotFound(format!("there is no {key}"))),
            answer => Parts::of(answer),
        }
    }
}

#[async_trait]
impl WorkflowStore for RedisWorkflows {
    fn is_shared(&self) -> bool {
        true
    }

    async fn join(&self, owner: &str, now: Timestamp, until: Timestamp) -> Answer<()> {
        let look = || durability::look(&self.redis, self.durability);
        self.looked.get_or_try_init(look).await?;
        self.hosts("join", owner, until.0, Some(now.0)).await
    }

    async fn renew(&self, owner: &str, until: Timestamp) -> Answer<()> {
        self.hosts("renew", owner, until.0, None).await
    }

    async fn leave(&self, owner: &str) -> Answer<()> {
        self.hosts("leave", owner, 0, None).await
    }

    async fn create(&self, instance: NewInstance, replaces: &[Status]) -> Answer<Created> {
        let mut arguments = Arguments::default();
        arguments.number(replaces.len());
        for status in replaces {
            arguments.text(status.name());
        }
        arguments.new_instance(&instance);
        let mut answer = Parts::of(self.run(&scripts::CREATE, &arguments).await?)?;
        let created = answer.flag()?;
        let row = answer.row()?;
        // A Cluster's client repeats a call whose answer it has not seen.
        let ours = row.execution == instance.execution && row.version == 1;
        Ok(match created || ours {
            true => Created::New(row),
            false => Created::Exists(row),
        })
    }

    async fn claim(&self, request: ClaimRequest) -> Answer<Claims> {
        let mut arguments = Arguments::default();
        arguments
            .text(&request.owner)
            .number(request.now.0)
            .number(request.limit);
        arguments.apps(&request.apps);
        let mut answer = Parts::of(self.run(&scripts::CLAIM, &arguments).await?)?;
        rows::claims(&mut answer, request.now)
    }

    async fn owned(&self, owner: &str) -> Answer<Vec<(InstanceKey, u64)>> {
        let mut arguments = Arguments::default();
        arguments.text(owner);
        let mut answer = Parts::of(self.run(&scripts::OWNED, &arguments).await?)?;
        let mut owned = Vec::new();
        while let Some(mut one) = answer.next_parts()? {
            owned.push((one.key()?, one.count()?));
        }
        owned.sort();
        Ok(owned)
    }

    async fn commit(&self, commit: Commit) -> Answer<u64> {
        let mut arguments = Arguments::default();
        arguments.commit(&commit);
        let mut answer = Parts::of(self.run(&scripts::COMMIT, &arguments).await?)?;
        match answer.flag()? {
            true => answer.count(),
            false => answer.fenced(&commit.key, commit.epoch),
        }
    }

    async fn release(&self, key: &InstanceKey, epoch: u64, release: Release) -> Answer<()> {
        let mut arguments = Arguments::default();
        arguments.key(key).number(epoch).release(&release);
        let mut answer = Parts::of(self.run(&scripts::RELEASE, &arguments).await?)?;
        match answer.flag()? {
            true => Ok(()),
            false => answer.fenced(key, epoch),
        }
    }

    async fn history(&self, key: &InstanceKey, from: u64, limit: usize) -> Answer<Vec<EventRow>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let last = from.saturating_add(limit as u64 - 1);
        let last = i64::try_from(last).unwrap_or(i64::MAX);
        let mut arguments = Arguments::default();
        arguments.text("events").key(key).number(from).number(last);
        let mut answer = self.read(key, &arguments).await?;
        let mut events = Vec::new();
        for seq in from.. {
            let Some(body) = answer.next_bytes()? else {
                break;
            };
            events.push(EventRow { seq, body });
        }
        Ok(events)
    }

    async fn blob(&self, key: &InstanceKey, digest: &str) -> Answer<Option<Bytes>> {
        let mut arguments = Arguments::default();
        arguments.text("blob").key(key).text(digest);
        self.read(key, &arguments).await?.next_bytes()
    }

    async fn send(&self, to: &InstanceKey, message: Message) -> Answer<Sent> {
        let mut arguments = Arguments::default();
        arguments.key(to).message(&message);
        rows::sent(&self.run(&scripts::SEND, &arguments).await?)
    }

    async fn inbox(
        &self,
        key: &InstanceKey,
        after: MessageId,
        limit: usize,
    ) -> Answer<Vec<StoredMessage>> {
        let mut arguments = Arguments::default();
        arguments
            .text("inbox")
            .key(key)
            .number(after.0)
            .number(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut answer = self.read(key, &arguments).await?;
        let mut messages = Vec::new();
        while let Some(mut entry) = answer.next_parts()? {
            messages.push(entry.message()?);
        }
        Ok(messages)
    }

    async fn get(&self, key: &InstanceKey) -> Answer<Option<InstanceRow>> {
        let mut arguments = Arguments::default();
        arguments.text("row").key(key);
        match self.run(&scripts::READ, &arguments).await? {
            Value::Nil => Ok(None),
            answer => Ok(Some(Parts::of(answer)?.row()?)),
        }
    }

    async fn list(&self, query: InstanceQuery) -> Answer<InstancePage> {
        let mut below = arguments::below(query.token.as_deref())?;
        let mut rows = Vec::new();
        while rows.len() <= query.limit {
            let mut arguments = Arguments::default();
            let wanted = query.limit.saturating_add(1) - rows.len();
            arguments.list(&query, &below, LOOKS, wanted);
            let mut answer = Parts::of(self.run(&scripts::LIST, &arguments).await?)?;
            let ended_at = answer.optional_text()?;
            while let Some(mut row) = answer.next_parts()? {
                rows.push(row.numbered_row()?);
            }
            match ended_at {
                Some(number) => below = format!("({number}"),
                None => break,
            }
        }
        let more = rows.len() > query.limit;
        rows.truncate(query.limit);
        let last = rows.last().map(|(number, _)| number.clone());
        Ok(InstancePage {
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            next: last.filter(|_| more),
        })
    }

    async fn purge(&self, key: &InstanceKey, force: bool) -> Answer<bool> {
        let mut arguments = Arguments::default();
        arguments.key(key).number(u8::from(force));
        match self.run(&scripts::PURGE, &arguments).await? {
            Value::Int(found) => Ok(found == 1),
            status => Err(WorkflowStoreError::NotAllowed(format!(
                "{key} is {}: only an instance that has ended can be purged",
                rows::text(status)?
            ))),
        }
    }

    async fn purge_expired(&self, now: Timestamp, limit: usize) -> Answer<usize> {
        let mut arguments = Arguments::default();
        arguments.number(now.0).number(limit);
        rows::how_many(&self.run(&scripts::PURGE_EXPIRED, &arguments).await?)
    }

    async fn wake_stalled(
        &self,
        namespace: &Namespace,
        app: &AppId,
        now: Timestamp,
    ) -> Answer<usize> {
        let mut arguments = Arguments::default();
        arguments.app(namespace, app).number(now.0);
        rows::how_many(&self.run(&scripts::WAKE_STALLED, &arguments).await?)
    }

    async fn codes(&self, namespace: &Namespace, app: &AppId) -> Answer<Vec<String>> {
        let mut arguments = Arguments::default();
        arguments.app(namespace, app);
        let mut answer = Parts::of(self.run(&scripts::CODES, &arguments).await?)?;
        let mut codes = Vec::new();
        while let Some(code) = answer.next_text()? {
            codes.push(code);
        }
        codes.sort();
        Ok(codes)
    }

    async fn claim_tasks(
        &self,
        apps: &[(Namespace, AppId)],
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Answer<Vec<ClaimedTask>> {
        let mut arguments = Arguments::default();
        arguments.number(now.0).number(until.0).number(limit);
        arguments.apps(apps);
        let mut answer = Parts::of(self.run(&scripts::CLAIM_TASKS, &arguments).await?)?;
        let mut tasks = Vec::new();
        while let Some(mut task) = answer.next_parts()? {
            tasks.push(task.task()?);
        }
        Ok(tasks)
    }

    async fn renew_tasks(&self, tasks: &[TaskId], until: Timestamp) -> Answer<Vec<TaskId>> {
        let mut arguments = Arguments::default();
        arguments.number(until.0).number(tasks.len());
        for task in tasks {
            arguments.task(task);
        }
        let mut answer = Parts::of(self.run(&scripts::RENEW_TASKS, &arguments).await?)?;
        let mut lost = Vec::new();
        for task in tasks {
            if !answer.flag()? {
                lost.push(task.clone());
            }
        }
        Ok(lost)
    }

    async fn finish_task(&self, task: &TaskId, result: Message) -> Answer<bool> {
        let mut arguments = Arguments::default();
        arguments.task(task).message(&result);
        let finished = rows::how_many(&self.run(&scripts::FINISH_TASK, &arguments).await?)?;
        Ok(finished == 1)
    }

    async fn ping(&self) -> Answer<()> {
        self.redis.call(&cmd("PING")).await?;
        Ok(())
    }
}

/// What a failure of Redis means to the workflow engine.
impl From<Failure> for WorkflowStoreError {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure.fault {
            Fault::Unavailable | Fault::Timeout => Self::Unavailable(text),
            Fault::Auth | Fault::Other => Self::Other(text),
        }
    }
}
