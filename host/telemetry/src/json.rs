//! Log lines for machines: one JSON object each, with the keys that Dapr's logs have (`time`, `level`, `scope`, `msg`).

use crate::{record::Record, text::timestamp};
use serde_json::{Map, Value};
use std::fmt;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

pub(crate) struct JsonFormat;

impl<S, N> FormatEvent<S, N> for JsonFormat
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
        let time = timestamp(time::OffsetDateTime::now_utc());
        writeln!(writer, "{}", line(time, Record::of(event)))
    }
}

fn line(time: String, record: Record) -> Value {
    let mut line = Map::new();
    line.insert("time".to_owned(), time.into());
    let level = record.level.as_str().to_ascii_lowercase();
    line.insert("level".to_owned(), level.into());
    line.insert("scope".to_owned(), record.target.into());
    line.insert("msg".to_owned(), record.message.into());
    for (name, value) in record.fields {
        line.entry(name).or_insert(value);
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tracing::Level;

    #[test]
    fn a_field_cannot_replace_what_every_line_has() {
        let fields = json!({"app": "orders", "level": "forged"});
        let record = Record {
            level: Level::WARN,
            target: "guest",
            message: "low stock".to_owned(),
            fields: fields.as_object().cloned().unwrap(),
        };
        assert_eq!(
            line("2026-01-31T09:30:00.123Z".to_owned(), record).to_string(),
            r#"{"time":"2026-01-31T09:30:00.123Z","level":"warn","scope":"guest","msg":"low stock","app":"orders"}"#
        );
    }
}
