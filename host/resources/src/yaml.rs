//! Text to documents: drives the YAML parser and builds the tree, within bounds.
//!
//! The parser is pulled event by event and the tree is built on a stack of our own, so that neither deep nesting nor
//! aliases that multiply ("billion laughs") cost more than the bounds below.

use crate::node::{Entry, Node, Place, Scalar, Value, quote};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::{borrow::Cow, collections::HashMap};

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

/// One document. With issues the tree may be incomplete.
#[derive(Debug)]
pub(crate) struct Document {
    pub root: Node,
    pub issues: Vec<Issue>,
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
                parsed.documents.extend(builder.finish());
                parsed.syntax = Some(syntax_issue(text, &error));
                break;
            }
        }
    }
    parsed
}

fn place(span: Span) -> Place {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place {
        line: number(span.start.line()),
        column: number(span.start.col()).saturating_add(1),
    }
}

fn syntax_issue(text: &str, error: &ScanError) -> Issue {
    let place = place(Span::empty(*error.marker()));
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

/// A list or map that is still open.
#[derive(Debug)]
struct Frame {
    place: Place,
    anchor: usize,
    /// Nodes built when it was opened: what was built since is its size.
    built: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Debug, Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// The key whose value comes next.
    key: Option<(String, Place)>,
    /// The line of each key, to find repeated ones.
    lines: HashMap<String, u32>,
}

/// Builds the tree of one document.
#[derive(Debug, Default)]
struct Builder {
    open: Vec<Frame>,
    root: Option<Node>,
    /// Finished nodes with an anchor, and their sizes.
    anchors: HashMap<usize, (Node, usize)>,
    built: usize,
    /// Nodes kept a second time because they have an anchor.
    kept: usize,
    issues: Vec<Issue>,
    /// A bound was exceeded: the rest of the document is skipped.
    full: bool,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) {
        if self.full {
            return;
        }
        let place = place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = scalar(text, style, tag.as_deref());
                self.add(
                    Node {
                        place,
                        value: Value::Scalar(scalar),
                    },
                    anchor,
                    1,
                );
            }
            Event::SequenceStart(anchor, _) => self.enter(place, anchor, Content::List(vec![])),
            Event::MappingStart(anchor, _) => {
                self.enter(place, anchor, Content::Map(OpenMap::default()));
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(anchor) => self.alias(anchor, place),
            _ => {}
        }
    }

    fn enter(&mut self, place: Place, anchor: usize, content: Content) {
        if self.open.len() >= MAX_DEPTH {
            return self.give_up(place, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.open.push(Frame {
            place,
            anchor,
            built: self.built,
            content,
        });
    }

    fn leave(&mut self) {
        let Some(frame) = self.open.pop() else { return };
        let size = self.built.saturating_sub(frame.built) + 1;
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map(map) => Value::Map(map.entries),
        };
        self.built = frame.built;
        self.add(
            Node {
                place: frame.place,
                value,
            },
            frame.anchor,
            size,
        );
    }

    fn alias(&mut self, anchor: usize, place: Place) {
        match self.anchors.get(&anchor) {
            // The size is checked before the copy is made.
            Some((_, size)) if self.built + size > MAX_NODES => self.too_many(place),
            Some((node, size)) => {
                let (node, size) = (node.clone(), *size);
                self.add(node, 0, size);
            }
            None => {
                self.issue(
                    place,
                    "this alias refers to a value that contains it".to_owned(),
                );
                let value = Value::Scalar(Scalar {
                    text: String::new(),
                    plain: true,
                });
                self.add(Node { place, value }, 0, 1);
            }
        }
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) {
        self.built += size;
        self.kept += if anchor > 0 { size } else { 0 };
        if self.built + self.kept > MAX_NODES {
            self.too_many(node.place);
        } else if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.attach(node);
    }

    fn attach(&mut self, node: Node) {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        let found = match &mut frame.content {
            Content::List(items) => {
                items.push(node);
                None
            }
            Content::Map(map) => map.add(node),
        };
        self.issues.extend(found);
    }

    fn too_many(&mut self, place: Place) {
        self.give_up(
            place,
            format!("more than {MAX_NODES} values in one document, aliases included"),
        );
    }

    fn give_up(&mut self, place: Place, message: String) {
        if !self.full {
            self.issue(place, message);
        }
        self.full = true;
    }

    fn issue(&mut self, place: Place, message: String) {
        self.issues.push(Issue {
            place,
            message,
            hint: None,
        });
    }

    /// Closes what is open and hands out the document; absent if there was none.
    fn finish(&mut self) -> Option<Document> {
        while !self.open.is_empty() {
            self.leave();
        }
        let mut done = std::mem::take(self);
        done.root.take().map(|root| Document {
            root,
            issues: done.issues,
        })
    }
}

impl OpenMap {
    /// Takes a key or, after a key, its value.
    fn add(&mut self, node: Node) -> Option<Issue> {
        let Some((key, place)) = self.key.take() else {
            let (key, issue) = key_of(node);
            self.key = Some(key);
            return issue;
        };
        if let Some(line) = self.lines.get(&key) {
            let message = format!("{} is given twice, first on line {line}", quote(&key));
            return Some(Issue {
                place,
                message,
                hint: None,
            });
        }
        self.lines.insert(key.clone(), place.line);
        let value = if node.is_null() {
            Node { place, ..node }
        } else {
            node
        };
        self.entries.push(Entry { key, place, value });
        None
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Scalar {
    let tagged = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    Scalar {
        text: text.into_owned(),
        plain: style == ScalarStyle::Plain && !tagged,
    }
}

fn key_of(node: Node) -> ((String, Place), Option<Issue>) {
    let place = node.place;
    let issue = |message: String, hint: Option<String>| {
        Some(Issue {
            place,
            message,
            hint,
        })
    };
    match node.value {
        Value::Scalar(scalar) if scalar.plain && scalar.text == "<<" => {
            let hint = "write the fields out, or use an alias for a whole value".to_owned();
            let message = "merge keys (`<<`) are not supported".to_owned();
            ((scalar.text, place), issue(message, Some(hint)))
        }
        Value::Scalar(scalar) => ((scalar.text, place), None),
        _ => {
            let message = format!("expected a text as key, found {}", node.describe());
            ((String::new(), place), issue(message, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
