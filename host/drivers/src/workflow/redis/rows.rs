//! What scripts answer: lists, taken from the front.

use super::Answer;
use berth_blocks::workflow::{
    Claimed, ClaimedTask, Claims, InstanceKey, InstanceRow, InstanceState, MessageId, Sent, Status,
    StoredMessage, TaskId, Timestamp, Waiting, WorkflowStoreError,
};
use bytes::Bytes;
use redis::Value;
use std::{collections::VecDeque, str::FromStr};

/// A list that is read from the front.
#[derive(Debug)]
pub(super) struct Parts(VecDeque<Value>);

impl Parts {
    pub(super) fn of(answer: Value) -> Answer<Self> {
        match answer {
            Value::Array(parts) => Ok(Self(parts.into())),
            other => Err(unexpected("a list", &other)),
        }
    }

    fn next(&mut self) -> Answer<Value> {
        self.0.pop_front().ok_or_else(|| {
            WorkflowStoreError::Other("an answer of Redis ends too early".to_owned())
        })
    }

    /// The next list; `None` at the end.
    pub(super) fn next_parts(&mut self) -> Answer<Option<Self>> {
        self.0.pop_front().map(Self::of).transpose()
    }

    /// The next bytes; `None` at the end, or if there are none.
    pub(super) fn next_bytes(&mut self) -> Answer<Option<Bytes>> {
        self.0.pop_front().map_or(Ok(None), optional_bytes)
    }

    pub(super) fn next_text(&mut self) -> Answer<Option<String>> {
        self.0.pop_front().map(text).transpose()
    }

    pub(super) fn flag(&mut self) -> Answer<bool> {
        Ok(how_many(&self.next()?)? == 1)
    }

    pub(super) fn text(&mut self) -> Answer<String> {
        text(self.next()?)
    }

    pub(super) fn optional_text(&mut self) -> Answer<Option<String>> {
        match self.next()? {
            Value::Nil => Ok(None),
            value => text(value).map(Some),
        }
    }

    fn named<T: FromStr>(&mut self) -> Answer<T> {
        parsed(&self.text()?)
    }

    pub(super) fn count(&mut self) -> Answer<u64> {
        self.named()
    }

    fn time(&mut self) -> Answer<Timestamp> {
        self.named().map(Timestamp)
    }

    fn optional_time(&mut self) -> Answer<Option<Timestamp>> {
        let text = self.optional_text()?;
        text.map(|text| parsed(&text).map(Timestamp)).transpose()
    }

    /// Namespace, app and ID.
    pub(super) fn key(&mut self) -> Answer<InstanceKey> {
        let (namespace, app) = (self.named()?, self.named()?);
        Ok(InstanceKey::new(namespace, app, &self.text()?))
    }

    /// Why a writer was refused: what is there instead.
    pub(super) fn fenced<T>(&mut self, key: &InstanceKey, epoch: u64) -> Answer<T> {
        let (there, version) = (self.optional_text()?, self.optional_text()?);
        let text = match (there, version) {
            (Some(there), Some(version)) => {
                format!(
                    "{key} is in epoch {there} and version {version}, the writer in epoch {epoch}"
                )
            }
            _ => format!("{key} is gone: it was purged"),
        };
        Err(WorkflowStoreError::Fenced(text))
    }

    /// The next list, a row.
    pub(super) fn row(&mut self) -> Answer<InstanceRow> {
        let mut fields = Self::of(self.next()?)?;
        Ok(fields.numbered_row()?.1)
    }

    /// The fields of a row in the order of the scripts: its number, and the rest.
    pub(super) fn numbered_row(&mut self) -> Answer<(String, InstanceRow)> {
        let number = self.text()?;
        let key = self.key()?;
        let (execution, workflow) = (self.text()?, self.text()?);
        let parent = self.optional_text()?.zip(self.optional_text()?);
        let parent = parent.and_then(|(app, id)| {
            Some(InstanceKey::new(
                key.namespace.clone(),
                app.parse().ok()?,
                &id,
            ))
        });
        let status = self.text()?;
        let status = Status::named(&status).ok_or_else(|| unreadable(&status))?;
        let (version, epoch, events) = (self.count()?, self.count()?, self.count()?);
        let (owner, ready_at) = (self.optional_text()?, self.optional_time()?);
        let (on, since) = (self.optional_text()?, self.optional_time()?);
        let waiting = on.map(|on| Waiting {
            on,
            since: since.unwrap_or_default(),
        });
        let (custom_status, code) = (self.optional_text()?, self.optional_text()?);
        let problem = self.optional_text()?;
        let outcome = optional_bytes(self.next()?)?;
        let (created_at, updated_at) = (self.time()?, self.time()?);
        let (finished_at, expires_at) = (self.optional_time()?, self.optional_time()?);
        let state = InstanceState {
            status,
            waiting,
            custom_status,
            code,
            problem,
            outcome,
            finished_at,
            expires_at,
        };
        let row = InstanceRow {
            key,
            execution,
            workflow,
            parent,
            state,
            events,
            version,
            epoch,
            owner,
            ready_at,
            created_at,
            updated_at,
        };
        Ok((number, row))
    }

    /// An entry of a stream.
    pub(super) fn message(&mut self) -> Answer<StoredMessage> {
        let id = self.text()?;
        let number = id.split_once('-').map_or("", |(number, _)| number);
        let mut fields = Self::of(self.next()?)?;
        // Before each value stands its name.
        fields.next()?;
        let at = fields.time()?;
        fields.next()?;
        Ok(StoredMessage {
            id: MessageId(parsed(number)?),
            at,
            body: optional_bytes(fields.next()?)?.unwrap_or_default(),
        })
    }

    pub(super) fn task(&mut self) -> Answer<ClaimedTask> {
        let key = self.key()?;
        let (operation, claim) = (self.count()?, self.count()?);
        Ok(ClaimedTask {
            id: TaskId {
                key,
                operation,
                claim,
            },
            app: self.named()?,
            deliveries: self.named()?,
            body: optional_bytes(self.next()?)?.unwrap_or_default(),
        })
    }
}

/// What a claim gave.
pub(super) fn claims(answer: &mut Parts, now: Timestamp) -> Answer<Claims> {
    let more = answer.flag()?;
    let next_ready_at = answer.optional_time()?;
    let mut claimed = Vec::new();
    while !answer.0.is_empty() {
        let taken_over = answer.flag()?;
        let row = answer.row()?;
        claimed.push(Claimed { row, taken_over });
    }
    Ok(Claims {
        claimed,
        next_ready_at: if more { Some(now) } else { next_ready_at },
    })
}

pub(super) fn sent(answer: &Value) -> Answer<Sent> {
    match answer {
        Value::BulkString(word) if word == b"accepted" => Ok(Sent::Accepted),
        Value::BulkString(word) if word == b"duplicate" => Ok(Sent::Duplicate),
        Value::BulkString(word) if word == b"finished" => Ok(Sent::Finished),
        Value::BulkString(word) if word == b"absent" => Ok(Sent::NotFound),
        other => Err(unexpected("what became of a message", other)),
    }
}

pub(super) fn how_many(answer: &Value) -> Answer<usize> {
    match answer {
        Value::Int(number) => Ok(usize::try_from(*number).unwrap_or(0)),
        other => Err(unexpected("a number", other)),
    }
}

pub(super) fn text(value: Value) -> Answer<String> {
    match value {
        Value::BulkString(bytes) => {
            String::from_utf8(bytes).map_err(|error| unreadable(&error.to_string()))
        }
        other => Err(unexpected("text", &other)),
    }
}

fn optional_bytes(value: Value) -> Answer<Option<Bytes>> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes.into())),
        other => Err(unexpected("bytes", &other)),
    }
}

fn parsed<T: FromStr>(text: &str) -> Answer<T> {
    text.parse().map_err(|_| unreadable(text))
}

fn unreadable(text: &str) -> WorkflowStoreError {
    WorkflowStoreError::Other(format!(
        "Redis holds {text:?}, which is not what workflows write: was it another version, or somebody else?"
    ))
}

fn unexpected(wanted: &str, value: &Value) -> WorkflowStoreError {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::Array(_) => "a list",
        Value::BulkString(_) => "text",
        _ => "something else",
    };
    WorkflowStoreError::Other(format!("Redis answered {kind}, expected {wanted}"))
}
