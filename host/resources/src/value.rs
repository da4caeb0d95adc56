//! Typed values out of single nodes.

use crate::{
    AppId, ByteSize, duration,
    fields::Fields,
    node::{Entry, Kind, Node, Place, Value, quote},
    reader::Reading,
    schema::Shape,
    suggest::did_you_mean,
};
use std::{ops::RangeInclusive, time::Duration};

/// One value, its path in the document and its place.
#[derive(Clone)]
pub(crate) struct Field<'n> {
    pub path: String,
    pub node: &'n Node,
    /// Where its key stands, if it has one.
    pub key: Option<Place>,
}

impl<'n> Field<'n> {
    pub(crate) fn place(&self) -> Place {
        self.node.place
    }

    /// An error about this value: `path: message`.
    pub(crate) fn refuse(&self, reading: &mut Reading<'_>, message: impl AsRef<str>) {
        let message = format!("{}: {}", quote(&self.path), message.as_ref());
        reading.error(self.node.place, message);
    }

    /// An error of type: what was expected, and what was found.
    pub(crate) fn expected(&self, reading: &mut Reading<'_>, expected: &str) {
        self.refuse(
            reading,
            format!("expected {expected}, found {}", self.node.describe()),
        );
    }

    /// The value as a map of known fields.
    pub(crate) fn fields(self, reading: &mut Reading<'_>) -> Option<Fields<'n>> {
        if self.node.map().is_none() {
            self.expected(reading, "a map of fields");
            return None;
        }
        Some(Fields::of(
            self.path,
            self.node,
            self.key.unwrap_or(self.node.place),
        ))
    }

    /// The entries of a map whose keys are free.
    pub(crate) fn entries(&self, reading: &mut Reading<'_>) -> Vec<(&'n str, Place, Field<'n>)> {
        reading.note(&self.path, || Shape::Entries);
        let Some(entries) = self.node.map() else {
            self.expected(reading, "a map");
            return Vec::new();
        };
        let field = |entry: &'n Entry| Field {
            path: format!("{}.{}", self.path, entry.key),
            node: &entry.value,
            key: Some(entry.place),
        };
        entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.place, field(entry)))
            .collect()
    }

    /// The items of a list.
    pub(crate) fn items(&self, reading: &mut Reading<'_>) -> Vec<Field<'n>> {
        reading.note(&self.path, || Shape::Items);
        let Value::List(items) = &self.node.value else {
            self.expected(reading, "a list");
            return Vec::new();
        };
        let field = |(index, node)| Field {
            path: format!("{}[{index}]", self.path),
            node,
            key: None,
        };
        items.iter().enumerate().map(field).collect()
    }

    /// A text that is not empty. Numbers and booleans must be quoted to be one, as in Dapr.
    pub(crate) fn text(&self, reading: &mut Reading<'_>) -> Option<&'n str> {
        reading.note(&self.path, || Shape::Text);
        match self
            .node
            .scalar()
            .map(|scalar| (scalar.kind(), scalar.text.as_str()))
        {
            Some((Kind::Text, "")) => self.refuse(reading, "expected a text, found an empty one"),
            Some((Kind::Text, text)) if text.contains(char::is_control) => {
                self.refuse(
                    reading,
                    format!("expected one line of text, found {}", quote(text)),
                );
            }
            Some((Kind::Text, text)) => return Some(text),
            Some((Kind::Number | Kind::Boolean(_), text)) => {
                let message = format!(
                    "{}: expected a text, found {}",
                    quote(&self.path),
                    self.node.describe()
                );
                reading.error_with_hint(
                    self.node.place,
                    message,
                    format!("put it in quotes: \"{text}\""),
                );
            }
            _ => self.expected(reading, "a text"),
        }
        None
    }

    /// The text of any scalar, as it is written: `1.0` stays `1.0`. An empty value is an empty text.
    pub(crate) fn any_text(&self, reading: &mut Reading<'_>) -> Option<&'n str> {
        reading.note(&self.path, || Shape::Scalar);
        let Some(scalar) = self.node.scalar() else {
            self.expected(reading, "a text, a number or a boolean");
            return None;
        };
        Some(if scalar.kind() == Kind::Null {
            ""
        } else {
            &scalar.text
        })
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, reading: &mut Reading<'_>) -> Option<bool> {
        reading.note(&self.path, || Shape::Boolean);
        match self
            .node
            .scalar()
            .map(|scalar| (scalar.kind(), scalar.text.as_str()))
        {
            Some((Kind::Boolean(value), _)) => return Some(value),
            Some((Kind::Text, text @ ("true" | "false"))) => {
                let message = format!(
                    "{}: expected a boolean, found the text `\"{text}\"`",
                    quote(&self.path)
                );
                reading.error_with_hint(self.node.place, message, "remove the quotes");
            }
            _ => self.expected(reading, "`true` or `false`"),
        }
        None
    }

    /// A whole number within a range.
    pub(crate) fn integer(
        &self,
        range: RangeInclusive<i64>,
        reading: &mut Reading<'_>,
    ) -> Option<i64> {
        reading.note(&self.path, || Shape::Integer(range.clone()));
        let scalar = self
            .node
            .scalar()
            .filter(|scalar| scalar.kind() == Kind::Number);
        let value = scalar.and_then(|scalar| scalar.text.parse().ok());
        if value.is_some_and(|value| range.contains(&value)) {
            return value;
        }
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.expected(reading, &expected);
        None
    }

    /// A whole number within a range that begins at zero or above.
    pub(crate) fn count(
        &self,
        range: RangeInclusive<u32>,
        reading: &mut Reading<'_>,
    ) -> Option<u32> {
        let range = i64::from(*range.start())..=i64::from(*range.end());
        u32::try_from(self.integer(range, reading)?).ok()
    }

    /// A duration with a unit, within a range.
    pub(crate) fn duration(
        &self,
        range: RangeInclusive<Duration>,
        reading: &mut Reading<'_>,
    ) -> Option<Duration> {
        reading.note(&self.path, || Shape::Duration);
        self.parsed_duration(duration::parse_duration, range, reading)
    }

    /// A duration of a Resiliency document: a bare number counts milliseconds.
    pub(crate) fn duration_or_millis(&self, reading: &mut Reading<'_>) -> Option<Duration> {
        reading.note(&self.path, || Shape::Milliseconds);
        const LONGEST: Duration = Duration::from_secs(24 * 3600 * 365);
        self.parsed_duration(
            duration::parse_duration_or_millis,
            Duration::ZERO..=LONGEST,
            reading,
        )
    }

    fn parsed_duration(
        &self,
        parse: fn(&str) -> Result<Duration, String>,
        range: RangeInclusive<Duration>,
        reading: &mut Reading<'_>,
    ) -> Option<Duration> {
        let Some(text) = self.unit_text() else {
            self.expected(reading, "a duration such as `500ms` or `5s`");
            return None;
        };
        match parse(text) {
            Ok(value) if range.contains(&value) => return Some(value),
            Ok(_) => {
                let (low, high) = (show(*range.start()), show(*range.end()));
                self.refuse(
                    reading,
                    format!(
                        "expected a duration from `{low}` to `{high}`, found {}",
                        quote(text)
                    ),
                );
            }
            Err(message) => self.refuse(reading, message),
        }
        None
    }

    /// A number of bytes, within a range.
    pub(crate) fn size(
        &self,
        range: RangeInclusive<ByteSize>,
        reading: &mut Reading<'_>,
    ) -> Option<ByteSize> {
        reading.note(&self.path, || Shape::Size);
        let Some(text) = self.unit_text() else {
            self.expected(reading, "a size such as `64Mi`");
            return None;
        };
        match text.parse::<ByteSize>() {
            Ok(value) if range.contains(&value) => return Some(value),
            Ok(_) => {
                let (low, high) = (range.start(), range.end());
                self.refuse(
                    reading,
                    format!(
                        "expected a size from `{low}` to `{high}`, found {}",
                        quote(text)
                    ),
                );
            }
            Err(error) => self.refuse(reading, error.to_string()),
        }
        None
    }

    /// The text of a value with a unit: any scalar but a boolean or nothing.
    fn unit_text(&self) -> Option<&'n str> {
        let scalar = self.node.scalar()?;
        let usable = matches!(scalar.kind(), Kind::Text | Kind::Number);
        usable.then_some(scalar.text.as_str())
    }

    /// An app ID.
    pub(crate) fn app_id(&self, reading: &mut Reading<'_>) -> Option<AppId> {
        let text = self.text(reading)?;
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                self.refuse(reading, error.to_string());
                None
            }
        }
    }

    /// One of several words, in any case as Dapr reads them.
    pub(crate) fn choice<T: Copy>(
        &self,
        choices: &[(&str, T)],
        reading: &mut Reading<'_>,
    ) -> Option<T> {
        reading.note(&self.path, || {
            Shape::Choice(choices.iter().map(|(word, _)| (*word).to_owned()).collect())
        });
        let text = self.text(reading)?;
        let chosen = choices
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text));
        if chosen.is_none() {
            let words: Vec<String> = choices
                .iter()
                .map(|(word, _)| format!("`{word}`"))
                .collect();
            let meant = did_you_mean(text, choices.iter().map(|(word, _)| *word));
            self.refuse(
                reading,
                format!("expected {}, found {}{meant}", list(&words), quote(text)),
            );
        }
        chosen.map(|(_, value)| *value)
    }
}

/// The shortest exact form: `1h`, `500ms`.
fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        _ if millis >= 3_600_000 && millis.is_multiple_of(3_600_000) => {
            format!("{}h", millis / 3_600_000)
        }
        _ if millis >= 1_000 && millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}
