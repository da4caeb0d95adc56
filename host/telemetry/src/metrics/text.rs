//! Prometheus' text format.

use super::{
    histogram::{BOUNDS, Histogram},
    recorder::{Family, Series},
};
use metrics::{Key, Label};
use std::{
    fmt::{self, Display, Write as _},
    sync::atomic::Ordering,
};

pub(super) fn render(series: &Series) -> String {
    let mut text = String::new();
    family(
        &mut text,
        "counter",
        &series.counters,
        |text, key, value| {
            line(text, key, "", None, &value.load(Ordering::Relaxed));
        },
    );
    family(&mut text, "gauge", &series.gauges, |text, key, value| {
        let value = f64::from_bits(value.load(Ordering::Relaxed));
        line(text, key, "", None, &value);
    });
    family(&mut text, "histogram", &series.histograms, histogram);
    text
}

fn family<S: Default>(
    text: &mut String,
    kind: &str,
    series: &Family<S>,
    mut one: impl FnMut(&mut String, &Key, &S),
) {
    let all = series.sorted();
    for same in all.chunk_by(|(one, _), (next, _)| one.name() == next.name()) {
        let [(first, _), ..] = same else { continue };
        push(text, format_args!("# TYPE {} {kind}\n", first.name()));
        for (key, series) in same {
            one(text, key, series);
        }
        text.push('\n');
    }
}

fn histogram(text: &mut String, key: &Key, values: &Histogram) {
    let bounds = BOUNDS.iter().map(f64::to_string);
    let bounds = bounds.chain([String::from("+Inf")]);
    let mut count = 0;
    for (bound, below) in bounds.zip(values.cumulated()) {
        count = below;
        line(text, key, "_bucket", Some(&bound), &count);
    }
    line(text, key, "_sum", None, &values.sum());
    line(text, key, "_count", None, &count);
}

/// `name{label="value"} value`; `le` is the bound of a bucket.
fn line(text: &mut String, key: &Key, suffix: &str, le: Option<&str>, value: &dyn Display) {
    let own = key
        .labels()
        .map(|label: &Label| (label.key(), label.value()));
    let labels = own.chain(le.map(|bound| ("le", bound)));
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}=\"{}\"", Escaped(value)))
        .collect();
    push(text, format_args!("{}{suffix}", key.name()));
    if !labels.is_empty() {
        push(text, format_args!("{{{}}}", labels.join(",")));
    }
    push(text, format_args!(" {value}\n"));
}

fn push(text: &mut String, part: fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = text.write_fmt(part);
}

/// A label's value, which may be any text.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
