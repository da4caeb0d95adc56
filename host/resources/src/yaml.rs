//! Text to documents: drives the YAML parser and builds the tree, within bounds.
//!
//! The parser is pulled event by event and the tree is built on a stack of our own, so that neither deep nesting nor
//! aliases that multiply ("billion laughs") cost more than the bounds below.

use crate::{
    node::{Node, Place},
    tree::Builder,
};
use saphyr_parser::{Event, Parser, ScanError, Span};

/// Deepest nesting of lists and maps.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most nodes of one document, aliases counted as often as they are used.
pub(crate) const MAX_NODES: usize = 50_000;

/// Something wrong with the YAML itself.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub place: Place,
    pub message: String,
    pub hint: Option<String>,
}

/// One document.
#[derive(Debug)]
pub(crate) struct Document {
    pub root: Node,
    pub issues: Vec<Issue>,
    /// False if a bound or a syntax error cut it off.
    pub complete: bool,
}

/// The documents up to the first syntax error.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub documents: Vec<Document>,
    pub syntax: Option<Issue>,
}

/// Parses a file's text.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    let mut parsed = Parsed::default();
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((Event::DocumentEnd, _))) => parsed.documents.extend(builder.finish()),
            Some(Ok((event, span))) => builder.event(event, span),
            Some(Err(error)) => {
                // What is complete so far tells whether the document is one of ours.
                parsed
                    .documents
                    .extend(builder.finish().map(|cut| Document {
                        complete: false,
                        ..cut
                    }));
                parsed.syntax = Some(syntax_issue(text, &error));
                break;
            }
        }
    }
    parsed
}

pub(crate) fn place(span: Span) -> Place {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place {
        line: number(span.start.line()),
        column: number(span.start.col()).saturating_add(1),
    }
}

/// The parser counts one line too many at the end of a text without a line end.
fn within(text: &str, place: Place) -> Place {
    let breaks = text.matches(['\n', '\r']).count() - text.matches("\r\n").count();
    let lines = u32::try_from(breaks).map_or(u32::MAX, |breaks| breaks.saturating_add(1));
    if place.line <= lines {
        return place;
    }
    let last = text.rsplit(['\n', '\r']).next().unwrap_or_default();
    let column =
        u32::try_from(last.chars().count()).map_or(u32::MAX, |column| column.saturating_add(1));
    Place {
        line: lines,
        column,
    }
}

fn syntax_issue(text: &str, error: &ScanError) -> Issue {
    let place = within(text, place(Span::empty(*error.marker())));
    let line = text
        .lines()
        .nth(error.marker().line().saturating_sub(1))
        .unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    if let Some(tab) = line.bytes().take(indent).position(|byte| byte == b'\t') {
        let column = u32::try_from(tab + 1).unwrap_or(u32::MAX);
        return Issue {
            place: Place { column, ..place },
            message: "a tab indents this line, expected spaces".to_owned(),
            hint: None,
        };
    }
    let hint = error
        .info()
        .contains("mapping values are not allowed")
        .then(|| "quote a text that contains `: `, and check the indentation".to_owned());
    Issue {
        place,
        message: format!("not valid YAML: {}", error.info()),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Value;

    fn issues(text: &str) -> Vec<String> {
        let parsed = parse(text);
        let of_documents = parsed
            .documents
            .into_iter()
            .flat_map(|document| document.issues);
        of_documents
            .chain(parsed.syntax)
            .map(|issue| {
                format!(
                    "{}:{} {}",
                    issue.place.line, issue.place.column, issue.message
                )
            })
            .collect()
    }

    #[test]
    fn every_node_knows_its_place() {
        let parsed = parse("a: b\nlist:\n  - x\n  - k: 'v'\nempty:\n---\nsecond: 1\n");
        assert_eq!(parsed.documents.len(), 2);
        let root = &parsed.documents[0].root;
        let item = root.get("list").map(|list| list.value.clone());
        let Some(Value::List(items)) = item else {
            panic!("a list")
        };
        assert_eq!(items[1].place, Place { line: 4, column: 5 });
        assert_eq!(
            items[1].get("k").map(|v| v.place),
            Some(Place { line: 4, column: 8 })
        );
        assert_eq!(
            root.get("empty").map(|v| v.place),
            Some(Place { line: 5, column: 1 })
        );
    }

    #[test]
    fn windows_line_ends_count_once() {
        let parsed = parse("a:\r\n  b: c\r\n");
        let value = parsed.documents[0].root.get("a").and_then(|a| a.get("b"));
        let (place, text) = value
            .map(|b| (b.place, b.scalar().map(|s| s.text.clone())))
            .unwrap();
        assert_eq!(
            (place, text),
            (Place { line: 2, column: 6 }, Some("c".to_owned()))
        );
    }

    #[test]
    fn laughs_are_bounded() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let last = level - 1;
            let aliases = vec![format!("*a{last}"); 9].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let found = issues(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("more than 50000 values"), "{found:?}");
    }

    #[test]
    fn depth_is_bounded() {
        let found = issues(&format!("apiVersion: x\ndeep: {}", "[".repeat(100)));
        assert!(
            found[0].contains("nested deeper than 64 levels"),
            "{found:?}"
        );
        let found = issues(&"- ".repeat(100_000));
        assert!(
            found[0].contains("nested deeper than 64 levels"),
            "{found:?}"
        );
    }

    #[test]
    fn an_alias_inside_its_own_anchor_is_refused() {
        let found = issues("a: &a\n  b: *a\n");
        assert_eq!(found, ["2:6 this alias refers to a value that contains it"]);
    }

    #[test]
    fn anchors_end_with_their_document() {
        let found = issues("a: &a 1\n---\nb: *a\n");
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
