//! A span as a collector knows it, and the trees that spans are.

use std::collections::{BTreeMap, BTreeSet};

/// A span, whatever format it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSpan {
    /// The app.
    pub service: String,
    /// `client`, `server`, `producer`, `consumer` or `internal`.
    pub kind: String,
    /// What was done.
    pub name: String,
    /// Hexadecimal.
    pub trace_id: String,
    /// Hexadecimal.
    pub span_id: String,
    /// Hexadecimal.
    pub parent_id: Option<String>,
    /// Whether it failed.
    pub failed: bool,
    /// Everything else, as text.
    pub attributes: BTreeMap<String, String>,
    /// Names of its events.
    pub events: Vec<String>,
}

/// The trees that spans are, one line each: `service kind name`, with `!` where it failed. Siblings are sorted, since
/// what happens at once happens in any order. A span whose parent is nowhere here is a root.
#[must_use]
pub fn forest(spans: &[RecordedSpan]) -> String {
    let known: BTreeSet<_> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let is_root = |span: &&RecordedSpan| {
        let parent = span.parent_id.as_deref();
        parent.is_none_or(|parent| !known.contains(parent))
    };
    let roots = spans.iter().filter(is_root);
    let mut trees: Vec<_> = roots.map(|root| tree(root, spans, 0)).collect();
    trees.sort();
    trees.concat()
}

fn tree(span: &RecordedSpan, spans: &[RecordedSpan], depth: usize) -> String {
    let RecordedSpan {
        service,
        kind,
        name,
        failed,
        ..
    } = span;
    let mark = if *failed { " !" } else { "" };
    let own = format!("{}{service} {kind} {name}{mark}\n", "  ".repeat(depth));
    let below = spans
        .iter()
        .filter(|other| other.parent_id.as_ref() == Some(&span.span_id));
    let mut below: Vec<_> = below.map(|child| tree(child, spans, depth + 1)).collect();
    below.sort();
    [own, below.concat()].concat()
}
