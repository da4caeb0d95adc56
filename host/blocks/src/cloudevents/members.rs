//! A JSON object with its values as text, in order: what must change can change, the rest stays byte for byte.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Members<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    pub(super) fn empty() -> Self {
        Self(Vec::new())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The JSON text of a value. `null` is the same as absent.
    pub(super) fn json(&self, name: &str) -> Option<&str> {
        let found = self.iter().find(|(own, _)| *own == name)?;
        (found.1 != "null").then_some(found.1)
    }

    /// Sets a value to a JSON text.
    pub(super) fn set_json(&mut self, name: &'static str, json: Cow<'a, str>) {
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, value)) => *value = json,
            None => self.0.push((name.into(), json)),
        }
    }

    /// Sets a value to a string.
    pub(super) fn set(&mut self, name: &'static str, text: &str) {
        self.set_json(name, quote(text).into());
    }

    /// Sets a value to a string where there is none.
    pub(super) fn fill(&mut self, name: &'static str, text: &str) {
        if self.json(name).is_none() {
            self.set(name, text);
        }
    }

    /// Adds strings under names that are not known in advance; a name that is there keeps its value.
    pub(super) fn extend(&mut self, others: &'a [(String, String)]) {
        for (name, value) in others {
            if !self.iter().any(|(own, _)| own == name) {
                self.0.push((name.as_str().into(), quote(value).into()));
            }
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let lengths = self
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4);
        let mut object = Writer::with_room(lengths.sum());
        for (name, value) in self.iter() {
            object.json(name, value);
        }
        object.finish()
    }
}

/// A JSON object that is written member by member. Names must differ.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// For members of so many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        let mut json = Vec::with_capacity(bytes + 2);
        json.push(b'{');
        Self(json)
    }

    /// A member with a JSON text.
    pub(super) fn json(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
    }

    /// A member with a string.
    pub(super) fn string(&mut self, name: &str, text: &str) {
        self.name(name);
        write_quoted(text, &mut self.0);
    }

    /// A member with a string, if that says something.
    pub(super) fn string_unless_empty(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.string(name, text);
        }
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        write_quoted(name, &mut self.0);
        self.0.push(b':');
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// A JSON string.
pub(super) fn quote(text: &str) -> String {
    let mut json = Vec::with_capacity(text.len() + 2);
    write_quoted(text, &mut json);
    String::from_utf8(json).unwrap_or_default()
}

fn write_quoted(text: &str, json: &mut Vec<u8>) {
    // Neither text nor memory can refuse to be written.
    let _ = serde_json::to_writer(json, text);
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, Cow<'de, str>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(serde::de::Error::custom(format_args!(
                    "\"{name}\" comes twice"
                )));
            }
            members.push((name.into(), value.get().into()));
        }
        Ok(members)
    }
}
