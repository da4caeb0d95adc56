//! What is known of a span once it has ended.

use super::{
    Carried, SpanContext,
    limits::{ATTRIBUTES_MAX, EVENTS_MAX, LINKS_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX, cut},
};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Whose spans they are: an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The tenant.
    pub namespace: String,
    /// The app ID.
    pub name: String,
}

/// On which side of a call a span stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Work within an app.
    Internal,
    /// An app serves a request.
    Server,
    /// An app asks a backend, another app, the world outside.
    Client,
    /// An app publishes a message.
    Producer,
    /// An app handles a message.
    Consumer,
}

impl SpanKind {
    /// As printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl Value {
    /// As text, for exporters that have nothing else.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Bool(value) => value.to_string(),
        }
    }

    fn limited(self) -> Self {
        match self {
            Self::Text(Cow::Owned(text)) => Self::Text(Cow::Owned(cut(text, VALUE_BYTES_MAX))),
            other => other,
        }
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

/// Names and values.
pub type Attributes = Vec<(Cow<'static, str>, Value)>;

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What.
    pub name: String,
    /// More about it.
    pub attributes: Attributes,
}

/// How a span ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Status {
    /// Nobody says that it failed.
    #[default]
    Unset,
    /// It failed; why, without values of the application.
    Error(String),
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanRecord {
    /// The app.
    pub service: Arc<Service>,
    /// Its identity.
    pub context: SpanContext,
    /// The span that it is part of; `None`: it began the trace.
    pub parent: Option<[u8; 8]>,
    /// On which side of a call.
    pub kind: SpanKind,
    /// What was done.
    pub name: Cow<'static, str>,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// More about it.
    pub attributes: Attributes,
    /// What happened meanwhile.
    pub events: Vec<Event>,
    /// Spans of other traces that led to it.
    pub links: Vec<SpanContext>,
    /// Attributes, events and links beyond the limits.
    pub left_out: u32,
    /// How it ended.
    pub status: Status,
    /// What other tracers said.
    pub carried: Option<Arc<Carried>>,
}

impl SpanRecord {
    /// Sets an attribute; one of the same name is replaced.
    pub fn set(&mut self, name: Cow<'static, str>, value: Value) {
        let value = value.limited();
        if let Some((_, own)) = self.attributes.iter_mut().find(|(own, _)| *own == name) {
            *own = value;
        } else if self.attributes.len() < ATTRIBUTES_MAX {
            self.attributes.push((limited_name(name), value));
        } else {
            self.left_out += 1;
        }
    }

    /// Notes that something happened.
    pub fn add_event(&mut self, name: String, attributes: Attributes) {
        if self.events.len() >= EVENTS_MAX {
            self.left_out += 1;
            return;
        }
        let more = attributes.len().saturating_sub(ATTRIBUTES_MAX);
        self.left_out += u32::try_from(more).unwrap_or(u32::MAX);
        let attributes = attributes
            .into_iter()
            .take(ATTRIBUTES_MAX)
            .map(|(name, value)| (limited_name(name), value.limited()));
        self.events.push(Event {
            at: SystemTime::now(),
            name: cut(name, NAME_BYTES_MAX),
            attributes: attributes.collect(),
        });
    }

    /// Names a span of another trace that led to this one.
    pub fn link(&mut self, to: SpanContext) {
        if self.links.len() < LINKS_MAX {
            self.links.push(to);
        } else {
            self.left_out += 1;
        }
    }

    /// When it ended.
    #[must_use]
    pub fn ended(&self) -> SystemTime {
        self.began + self.took
    }
}

pub(super) fn limited_name(name: Cow<'static, str>) -> Cow<'static, str> {
    match name {
        Cow::Owned(name) => Cow::Owned(cut(name, NAME_BYTES_MAX)),
        known => known,
    }
}
