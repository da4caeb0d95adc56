//! Log lines for people.
//!
//! ```text
//! 2026-01-31T09:30:00.123Z INFO  listening address=127.0.0.1:8080
//! 2026-01-31T09:30:01.456Z INFO  shop/order-service | order o-17 accepted trace=4bf92f3577b34da6a3ce929d0e0e4736
//! ```

use crate::record::{GUEST, Record};
use owo_colors::{OwoColorize, Style};
use serde_json::Value;
use std::fmt::{self, Write};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

pub(crate) struct TextFormat {
    pub colour: bool,
}

impl<S, N> FormatEvent<S, N> for TextFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = time::OffsetDateTime::now_utc();
        self.write(&mut writer, &timestamp(now), Record::of(event))
    }
}

impl TextFormat {
    fn write(&self, out: &mut dyn Write, time: &str, mut record: Record) -> fmt::Result {
        let level = format!("{:<5}", record.level);
        write!(out, "{} ", self.paint(time, Style::new().dimmed()))?;
        write!(out, "{} ", self.paint(&level, level_style(record.level)))?;
        if record.target == GUEST {
            let source = guest_name(&mut record);
            write!(out, "{} ", self.paint(&source, Style::new().cyan()))?;
        } else if record.level >= Level::DEBUG {
            write!(out, "{} ", self.paint(record.target, Style::new().dimmed()))?;
        }
        write_visible(out, &record.message)?;
        for (name, value) in &record.fields {
            let name = format!("{name}=");
            write!(out, " {}", self.paint(&name, Style::new().dimmed()))?;
            match value {
                Value::String(text) if is_plain(text) => out.write_str(text)?,
                other => write!(out, "{other}")?,
            }
        }
        out.write_char('\n')
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colour {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    }
}

/// `namespace/app |`; the trace moves to the end under a short name, and the stream is told by the level.
fn guest_name(record: &mut Record) -> String {
    let app = record.take("app").unwrap_or_default();
    let namespace = record.take("namespace");
    let trace = record.take("trace_id").filter(|trace| !trace.is_empty());
    record.fields.remove("stream");
    if let Some(trace) = trace {
        record.fields.insert("trace".to_owned(), trace.into());
    }
    match namespace.filter(|namespace| namespace != "default") {
        Some(namespace) => format!("{namespace}/{app} |"),
        None => format!("{app} |"),
    }
}

fn level_style(level: Level) -> Style {
    match level {
        Level::ERROR => Style::new().red().bold(),
        Level::WARN => Style::new().yellow(),
        Level::INFO => Style::new().green(),
        _ => Style::new().blue(),
    }
}

/// A guest must neither forge a line nor steer the terminal: control characters appear as escapes.
fn write_visible(out: &mut dyn Write, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            write!(out, "{}", character.escape_default())?;
        } else {
            out.write_char(character)?;
        }
    }
    Ok(())
}

/// Readable without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"')
}

/// RFC 3339 with milliseconds.
pub(crate) fn timestamp(now: time::OffsetDateTime) -> String {
    const FORMAT: &[time::format_description::BorrowedFormatItem<'_>] = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    now.format(FORMAT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    const TIME: &str = "2026-01-31T09:30:00.123Z";

    fn line(record: Record) -> String {
        let mut text = String::new();
        let format = TextFormat { colour: false };
        format.write(&mut text, TIME, record).unwrap();
        text
    }

    fn record(target: &'static str, message: &str, fields: Value) -> Record {
        let fields: Map<_, _> = fields.as_object().cloned().unwrap_or_default();
        Record {
            level: Level::INFO,
            target,
            message: message.to_owned(),
            fields,
        }
    }

    #[test]
    fn an_event_of_the_host_shows_its_fields() {
        let fields = json!({"address": "127.0.0.1:8080", "apps": 4, "note": "two words"});
        assert_eq!(
            line(record("berth", "listening", fields)),
            "2026-01-31T09:30:00.123Z INFO  listening address=127.0.0.1:8080 apps=4 note=\"two words\"\n"
        );
    }

    #[test]
    fn a_guest_speaks_under_its_own_name() {
        let fields =
            json!({"app": "orders", "namespace": "shop", "trace_id": "4bf9", "stream": "stdout"});
        assert_eq!(
            line(record(GUEST, "accepted", fields)),
            "2026-01-31T09:30:00.123Z INFO  shop/orders | accepted trace=4bf9\n"
        );
    }

    #[test]
    fn a_guest_can_neither_forge_a_line_nor_steer_the_terminal() {
        let fields = json!({"app": "orders", "namespace": "default"});
        assert_eq!(
            line(record(GUEST, "a\n\u{1b}[2Jb", fields)),
            "2026-01-31T09:30:00.123Z INFO  orders | a\\n\\u{1b}[2Jb\n"
        );
    }
}
