//! What apps and tools ask of instances.

use super::{Engine, Shared, Watch};
use crate::{
    Event, InstanceView, Payload, Replay, WorkflowError, codec,
    driver::{Exit, history, history_page},
    limits::{NAME_BYTES_MAX, PAYLOAD_BYTES_MAX},
    message::{Ended, Message},
    replay,
};
use berth_blocks::workflow::{InstanceKey, InstancePage, InstanceQuery, InstanceRow, Sent};
use berth_resources::{AppId, Namespace};
use futures::future::{BoxFuture, select};
use std::{pin::pin, sync::Arc, time::Duration};

/// Children looked up at once.
const PAGE: usize = 500;

/// A caller that waits for an instance, listed for as long as it waits.
struct Watching<'e> {
    shared: &'e Shared,
    key: &'e InstanceKey,
    watch: Arc<Watch>,
}

impl<'e> Watching<'e> {
    fn of(shared: &'e Shared, key: &'e InstanceKey) -> Self {
        Self {
            watch: shared.watch(key),
            shared,
            key,
        }
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.shared.unwatch(self.key, &self.watch);
    }
}

/// The history of an instance; the number of an event is its place.
pub type History = Vec<Event>;

impl Engine {
    /// An instance; `None`: there is none.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn get(&self, key: &InstanceKey) -> Result<Option<InstanceView>, WorkflowError> {
        let row = self.shared.store.get(key).await?;
        row.map(view).transpose()
    }

    /// Waits until an instance has ended.
    ///
    /// # Errors
    /// There is none; it has not ended in time; or the store cannot be reached.
    pub async fn wait(
        &self,
        key: &InstanceKey,
        timeout: Option<Duration>,
    ) -> Result<InstanceView, WorkflowError> {
        let platform = &self.shared.platform;
        let deadline = timeout.map(|timeout| platform.now().after(timeout));
        loop {
            let watching = Watching::of(&self.shared, key);
            let mut ended = pin!(watching.watch.notify.notified());
            // From here on no end is missed.
            ended.as_mut().enable();
            let now = platform.now();
            let over = deadline.is_some_and(|deadline| deadline <= now);
            // One that is driven here tells its end by itself.
            let driven = self.shared.owned.lock().find(key).is_some();
            if over || !driven {
                let found = self.get(key).await?.ok_or_else(|| absent(key))?;
                let status = found.row.state.status;
                if status.is_terminal() {
                    return Ok(found);
                }
                if over {
                    return Err(WorkflowError::Timeout(format!("{key} is still {status}")));
                }
            }
            let poll = now.after(self.shared.config.poll_interval);
            let until = deadline.map_or(poll, |deadline| deadline.min(poll));
            select(ended, platform.sleep_until(until)).await;
            if let Some(row) = watching.watch.row.get() {
                return view(row.clone());
            }
        }
    }

    /// The history of an instance.
    ///
    /// # Errors
    /// There is none; or the store cannot be reached.
    pub async fn history(&self, key: &InstanceKey) -> Result<History, WorkflowError> {
        let row = self
            .shared
            .store
            .get(key)
            .await?
            .ok_or_else(|| absent(key))?;
        let events = history(&*self.shared.store, &row).await;
        Ok(events.map_err(|exit| unread(key, exit))?.into())
    }

    /// Events of an instance's history from number `from` on, at most `limit`.
    ///
    /// # Errors
    /// There is no such instance; or the store cannot be reached.
    pub async fn history_page(
        &self,
        key: &InstanceKey,
        from: u64,
        limit: usize,
    ) -> Result<History, WorkflowError> {
        let store = &*self.shared.store;
        let row = store.get(key).await?.ok_or_else(|| absent(key))?;
        let events = history_page(store, &row, from, limit).await;
        events.map_err(|exit| unread(key, exit))
    }

    /// Runs code, by digest where the executor has several, against the history of an instance: whether code that was
    /// changed still fits. Nothing is stored and no activity is called. Ends when the code does; the caller bounds it.
    ///
    /// # Errors
    /// There is no such instance; or the store cannot be reached.
    pub async fn trial(
        &self,
        key: &InstanceKey,
        code: Option<String>,
    ) -> Result<Replay, WorkflowError> {
        let history = self.history(key).await?;
        Ok(replay(&*self.shared.executor, key, history, code).await)
    }

    /// Instances that match, newest first.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn list(&self, query: InstanceQuery) -> Result<InstancePage, WorkflowError> {
        Ok(self.shared.store.list(query).await?)
    }

    /// Sends an external event. One with an ID that was sent before is dropped; one to an instance that has ended, too.
    ///
    /// # Errors
    /// A bad name or payload; no such instance; or the store cannot be reached.
    pub async fn raise_event(
        &self,
        key: &InstanceKey,
        name: &str,
        payload: Payload,
        id: Option<String>,
    ) -> Result<(), WorkflowError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(WorkflowError::Invalid(format!(
                "event name {name:?}: expected 1 to {NAME_BYTES_MAX} bytes"
            )));
        }
        if payload.data.len() > PAYLOAD_BYTES_MAX {
            return Err(WorkflowError::TooLarge(format!(
                "the event has {} bytes, the limit is {PAYLOAD_BYTES_MAX}",
                payload.data.len()
            )));
        }
        let name = name.to_owned();
        let message = Message::Raise { name };
        self.send(key, &message, Some(&payload), id).await.map(drop)
    }

    /// Asks a workflow to cancel: its pending operations end as canceled, later ones work. Nothing happens to one that
    /// has ended.
    ///
    /// # Errors
    /// No such instance; or the store cannot be reached.
    pub async fn cancel(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        let reason = reason.to_owned();
        self.send(key, &Message::Cancel { reason }, None, None)
            .await
            .map(drop)
    }

    /// Lets nothing more happen in an instance until it is resumed.
    ///
    /// # Errors
    /// No such instance, or it has ended; or the store cannot be reached.
    pub async fn suspend(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        let reason = reason.to_owned();
        let sent = self
            .send(key, &Message::Suspend { reason }, None, None)
            .await?;
        unless_finished(key, sent)
    }

    /// Lets a suspended instance go on.
    ///
    /// # Errors
    /// No such instance, or it has ended; or the store cannot be reached.
    pub async fn resume(&self, key: &InstanceKey, reason: &str) -> Result<(), WorkflowError> {
        let reason = reason.to_owned();
        let sent = self
            .send(key, &Message::Resume { reason }, None, None)
            .await?;
        unless_finished(key, sent)
    }

    /// Ends an instance, and if `recursive` its children. Nothing happens to one that has ended.
    ///
    /// # Errors
    /// No such instance; or the store cannot be reached.
    pub async fn terminate(
        &self,
        key: &InstanceKey,
        reason: &str,
        recursive: bool,
    ) -> Result<(), WorkflowError> {
        let reason = reason.to_owned();
        let message = Message::Terminate { reason, recursive };
        self.send(key, &message, None, None).await.map(drop)
    }

    /// Removes an instance that has ended (or any, if `force`), and if `recursive` the children that it started.
    /// `false`: there was none.
    ///
    /// # Errors
    /// It has not ended; or the store cannot be reached.
    pub fn purge<'e>(
        &'e self,
        key: &'e InstanceKey,
        force: bool,
        recursive: bool,
    ) -> BoxFuture<'e, Result<bool, WorkflowError>> {
        Box::pin(async move {
            if recursive {
                for child in self.children(key).await? {
                    match self.purge(&child, force, true).await {
                        // It outlives its parent, as children do that nobody awaited.
                        Err(WorkflowError::NotAllowed(_)) => {}
                        other => drop(other?),
                    }
                }
            }
            self.shared.reach("before purge").await;
            let purged = self.shared.store.purge(key, force).await?;
            self.shared.reach("after purge").await;
            if let Some(watch) = self.shared.take_watch(key) {
                watch.tell(None);
            }
            Ok(purged)
        })
    }

    async fn children(&self, key: &InstanceKey) -> Result<Vec<InstanceKey>, WorkflowError> {
        let mut query = InstanceQuery::children(key.clone(), PAGE);
        let mut children = Vec::new();
        loop {
            let page = self.shared.store.list(query.clone()).await?;
            children.extend(page.rows.into_iter().map(|row| row.key));
            match page.next {
                Some(next) => query.token = Some(next),
                None => return Ok(children),
            }
        }
    }

    /// Digests of the code that instances of an app need which have not ended.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn codes(
        &self,
        namespace: &Namespace,
        app: &AppId,
    ) -> Result<Vec<String>, WorkflowError> {
        Ok(self.shared.store.codes(namespace, app).await?)
    }

    /// The code of an app has changed: its stalled instances are tried again. How many.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn code_changed(
        &self,
        namespace: &Namespace,
        app: &AppId,
    ) -> Result<usize, WorkflowError> {
        let now = self.shared.platform.now();
        let woken = self.shared.store.wake_stalled(namespace, app, now).await?;
        self.apps_changed();
        Ok(woken)
    }

    async fn send(
        &self,
        key: &InstanceKey,
        message: &Message,
        payload: Option<&Payload>,
        dedup: Option<String>,
    ) -> Result<Sent, WorkflowError> {
        let message = berth_blocks::workflow::Message {
            dedup,
            body: codec::encode(message, payload),
            at: self.shared.platform.now(),
        };
        self.shared.reach("before send").await;
        let sent = self.shared.store.send(key, message).await;
        self.shared.reach("after send").await;
        // Also after an error, which leaves open what happened, and for a message that was sent before: then the one who
        // sent it may have heard of an error.
        if !matches!(sent, Ok(Sent::NotFound | Sent::Finished)) {
            self.shared.message_sent(key);
        }
        let sent = sent?;
        if sent == Sent::NotFound {
            return Err(absent(key));
        }
        Ok(sent)
    }
}

fn unread(key: &InstanceKey, exit: Exit) -> WorkflowError {
    match exit {
        Exit::Lost(why) => WorkflowError::NotFound(why),
        Exit::Retry(why) => WorkflowError::Unavailable(why),
        Exit::Ended(_) | Exit::Released | Exit::Panicked => absent(key),
    }
}

fn unless_finished(key: &InstanceKey, sent: Sent) -> Result<(), WorkflowError> {
    match sent {
        Sent::Finished => Err(WorkflowError::NotAllowed(format!("{key} has ended"))),
        _ => Ok(()),
    }
}

pub(super) fn absent(key: &InstanceKey) -> WorkflowError {
    WorkflowError::NotFound(format!("there is no {key}"))
}

fn view(row: InstanceRow) -> Result<InstanceView, WorkflowError> {
    let outcome = row.state.outcome.as_ref();
    let outcome = outcome.map(codec::decode::<Ended>).transpose();
    let outcome = outcome.map_err(|error| WorkflowError::Unavailable(error.to_string()))?;
    Ok(InstanceView {
        outcome: outcome.map(|(ended, payload)| match ended {
            Ended::Completed => Ok(payload.unwrap_or_default()),
            Ended::Failed(failure) => Err(failure),
        }),
        row,
    })
}
