//! What a value has to look like.
//!
//! A scalar or a list stands for itself, a map for every map that has at least its fields. `$` begins everything else:
//! `$any`, `{ $regex: ... }`, `{ $contains: ... }`, `{ $exact: ... }`, `{ $absent: true }`.

use crate::{
    Origin,
    node::{Kind, Node, Scalar, Value as Tree, quote},
    reader::Reading,
    suggest::did_you_mean,
    value::Field,
};
use regex::Regex;
use serde_json::Value;

/// What a value has to look like, and where that is written.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// What is expected.
    pub kind: PatternKind,
    /// Where it stands.
    pub origin: Origin,
}

/// Kinds of patterns.
#[derive(Debug, Clone)]
pub enum PatternKind {
    /// `$any`: whatever, but something.
    Any,
    /// `{ $absent: true }`, and an empty value in a map of keys: nothing.
    Absent,
    /// Equal to this, maps field by field.
    Exact(Value),
    /// A text in which this is found.
    Regex(Regex),
    /// A text with this part, or a list with these items somewhere.
    Contains(Vec<Pattern>),
    /// A map that has at least these fields.
    Map(MapPattern),
    /// A list of exactly these items.
    List(Vec<Pattern>),
}

/// Fields and what each has to look like.
pub type MapPattern = Vec<(String, Pattern)>;

const WORDS: [&str; 5] = ["$any", "$absent", "$exact", "$regex", "$contains"];

impl Pattern {
    /// A value that has to be equal.
    #[must_use]
    pub fn exact(value: Value) -> Self {
        Self {
            kind: PatternKind::Exact(value),
            origin: Origin::defaults(),
        }
    }

    /// A value in which maps may have more fields.
    #[must_use]
    pub fn like(value: Value) -> Self {
        let kind = match value {
            Value::Object(fields) => PatternKind::Map(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, Self::like(value)))
                    .collect(),
            ),
            Value::Array(items) => PatternKind::List(items.into_iter().map(Self::like).collect()),
            scalar => PatternKind::Exact(scalar),
        };
        Self {
            kind,
            origin: Origin::defaults(),
        }
    }

    pub(super) fn read(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let kind = kind(field, reading)?;
        let origin = reading.origin(field.place());
        Some(Self { kind, origin })
    }
}

fn kind(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<PatternKind> {
    match &field.node.value {
        Tree::Scalar(scalar) if scalar.plain && scalar.text.starts_with('$') => {
            if scalar.text == "$any" {
                return Some(PatternKind::Any);
            }
            unknown(field, &scalar.text, reading)
        }
        Tree::Scalar(scalar) => Some(PatternKind::Exact(scalar_value(scalar))),
        Tree::List(_) => {
            let items = field.items(reading);
            let items: Vec<_> = items
                .iter()
                .map(|item| Pattern::read(item, reading))
                .collect();
            Some(PatternKind::List(items.into_iter().collect::<Option<_>>()?))
        }
        Tree::Map(_) => of_map(field, reading),
    }
}

fn of_map(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<PatternKind> {
    let entries = field.entries(reading);
    if let [(word, _, own)] = entries.as_slice()
        && word.starts_with('$')
    {
        return of_word(word, own, field, reading);
    }
    let mut fields = Vec::new();
    for (name, place, own) in entries {
        if name.starts_with('$') {
            let message = format!(
                "{}: {} stands alone in its map",
                quote(&field.path),
                quote(name)
            );
            reading.error(place, message);
            return None;
        }
        fields.push((name.to_owned(), Pattern::read(&own, reading)?));
    }
    Some(PatternKind::Map(fields))
}

fn of_word(
    word: &str,
    own: &Field<'_>,
    whole: &Field<'_>,
    reading: &mut Reading<'_>,
) -> Option<PatternKind> {
    match word {
        "$any" => Some(PatternKind::Any),
        "$absent" => own.boolean(reading).and_then(|absent| {
            if !absent {
                own.refuse(reading, "expected `true`, or `$any` for its opposite");
            }
            absent.then_some(PatternKind::Absent)
        }),
        "$exact" => Some(PatternKind::Exact(value(own.node))),
        "$regex" => {
            let text = own.any_text(reading)?;
            match Regex::new(text) {
                Ok(regex) => Some(PatternKind::Regex(regex)),
                Err(error) => {
                    let why = error.to_string();
                    let last = why.lines().next_back().unwrap_or_default();
                    own.refuse(reading, format!("not a regular expression: {last}"));
                    None
                }
            }
        }
        "$contains" => {
            let items = match &own.node.value {
                Tree::List(_) => own.items(reading),
                _ => vec![own.clone()],
            };
            let items: Vec<_> = items
                .iter()
                .map(|item| Pattern::read(item, reading))
                .collect();
            Some(PatternKind::Contains(
                items.into_iter().collect::<Option<_>>()?,
            ))
        }
        _ => unknown(whole, word, reading),
    }
}

fn unknown(field: &Field<'_>, word: &str, reading: &mut Reading<'_>) -> Option<PatternKind> {
    let meant = did_you_mean(word, WORDS);
    let message = format!(
        "{}: unknown matcher {}{meant}",
        quote(&field.path),
        quote(word)
    );
    let hint = format!(
        "matchers: `{}`; a text that begins with `$` stands in quotes",
        WORDS.join("`, `")
    );
    reading.error_with_hint(field.place(), message, hint);
    None
}

/// A node as JSON, by YAML's core schema.
pub(super) fn value(node: &Node) -> Value {
    match &node.value {
        Tree::Scalar(scalar) => scalar_value(scalar),
        Tree::List(items) => Value::Array(items.iter().map(value).collect()),
        Tree::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), value(&entry.value)))
                .collect(),
        ),
    }
}

fn scalar_value(scalar: &Scalar) -> Value {
    let text = || Value::String(scalar.text.clone());
    match scalar.kind() {
        Kind::Null => Value::Null,
        Kind::Boolean(value) => Value::Bool(value),
        Kind::Number => serde_json::from_str(&scalar.text).unwrap_or_else(|_| text()),
        Kind::Text => text(),
    }
}
