//! What happened in a world, in the order in which it happened.

use berth_resources::AppId;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Everything that was noted.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Records>);

/// The notes, by kind.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// Block calls of guests.
    pub calls: Vec<BlockCall>,
    /// Messages that guests published, and dead letters.
    pub published: Vec<PublishedMessage>,
    /// Requests that other apps and services outside got.
    pub invocations: Vec<Invocation>,
    /// What guests wrote, and what the host warned of.
    pub lines: Vec<Line>,
    /// Spans that ended.
    pub spans: Vec<String>,
}

/// A block call of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockCall {
    /// Such as `state.get`.
    pub operation: &'static str,
    /// The backend, or the app that is called.
    pub backend: String,
    /// Key, topic, path or instance.
    pub key: String,
    /// Who called.
    pub app: AppId,
}

impl std::fmt::Display for BlockCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            operation,
            backend,
            key,
            app,
        } = self;
        write!(f, "{operation} {backend} {key} by {app}")
    }
}

/// A message that a broker took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedMessage {
    /// The backend.
    pub pubsub: String,
    /// The topic.
    pub topic: String,
    /// What went over the wire.
    pub wire: bytes::Bytes,
}

impl PublishedMessage {
    /// The data of the event, or of a message without an envelope all of it.
    #[must_use]
    pub fn data(&self) -> Value {
        match berth_blocks::CloudEvent::parse(&self.wire) {
            Ok(event) => readable(&event.data),
            Err(_) => readable(&self.wire),
        }
    }
}

/// A request that an app, or a service outside, got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// App ID, or scheme and host.
    pub of: String,
    /// Who asked.
    pub caller: AppId,
    /// Method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// What is behind `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: bytes::Bytes,
    /// The same request was answered before, and had its effect then.
    pub repeated: bool,
}

impl Invocation {
    /// As scenarios see it.
    #[must_use]
    pub fn seen(&self) -> Value {
        let headers: serde_json::Map<_, _> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        let mut seen = json!({
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "caller": self.caller.as_str(),
            "headers": headers,
            "body": String::from_utf8_lossy(&self.body),
        });
        if let (Ok(body), Some(fields)) = (
            serde_json::from_slice::<Value>(&self.body),
            seen.as_object_mut(),
        ) {
            fields.insert("json".to_owned(), body);
        }
        seen
    }
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The app whose guest wrote it; none: the host did.
    pub app: Option<String>,
    /// The text.
    pub text: String,
}

impl Journal {
    pub(crate) fn note(&self, note: impl FnOnce(&mut Records)) {
        note(&mut self.0.lock());
    }

    pub(crate) fn records(&self) -> Records {
        self.0.lock().clone()
    }

    pub(crate) fn count(&self, count: impl FnOnce(&Records) -> usize) -> usize {
        count(&self.0.lock())
    }
}

/// Bytes as JSON if they are, else as text.
pub(crate) fn readable(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}
