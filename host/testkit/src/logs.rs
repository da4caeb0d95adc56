//! What guests write, and what the host warns of, into the journal.

use crate::{journal::Line, probe::SharedProbe};
use std::fmt::{Debug, Write};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

/// From now on, on this thread.
pub(crate) fn capture(probe: &SharedProbe) -> DefaultGuard {
    let layer = Capture(probe.clone());
    tracing_subscriber::registry().with(layer).set_default()
}

struct Capture(SharedProbe);

impl<S: Subscriber> Layer<S> for Capture {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "guest" || *metadata.level() <= Level::WARN
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let of_guest = event.metadata().target() == "guest";
        let mut text = fields.message;
        if !of_guest {
            text.push_str(&fields.rest);
        }
        let line = Line {
            app: fields.app.filter(|_| of_guest),
            text,
        };
        self.0.journal.note(|records| records.lines.push(line));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    app: Option<String>,
    rest: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "app" => self.app = Some(value.to_owned()),
            name => drop(write!(self.rest, " {name}={value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "app" => self.app = Some(format!("{value:?}")),
            name => drop(write!(self.rest, " {name}={value:?}")),
        }
    }
}
