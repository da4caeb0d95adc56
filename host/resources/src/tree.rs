//! Parser events to the tree of one document.

use crate::{
    node::{Entry, Node, Place, Scalar, Value, quote},
    yaml::{Document, Issue, MAX_DEPTH, MAX_NODES, place},
};
use saphyr_parser::{Event, ScalarStyle, Span, Tag};
use std::{borrow::Cow, collections::HashMap};

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
    key: Option<Key>,
    /// The line of each key, to find repeated ones.
    lines: HashMap<String, u32>,
}

#[derive(Debug)]
enum Key {
    Text(String, Place),
    /// It was reported, and its value does not count.
    Unusable,
}

/// Builds the tree of one document.
#[derive(Debug, Default)]
pub(crate) struct Builder {
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
    pub(crate) fn event(&mut self, event: Event<'_>, span: Span) {
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
            None => self.give_up(
                place,
                "this alias refers to a value that contains it".to_owned(),
            ),
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
    pub(crate) fn finish(&mut self) -> Option<Document> {
        while !self.open.is_empty() {
            self.leave();
        }
        let mut done = std::mem::take(self);
        done.root.take().map(|root| Document {
            root,
            issues: done.issues,
            complete: !done.full,
        })
    }
}

impl OpenMap {
    /// Takes a key or, after a key, its value.
    fn add(&mut self, node: Node) -> Option<Issue> {
        let (key, place) = match self.key.take() {
            Some(Key::Text(key, place)) => (key, place),
            Some(Key::Unusable) => return None,
            None => {
                let (key, issue) = match key_of(node) {
                    Ok(key) => (key, None),
                    Err(issue) => (Key::Unusable, Some(issue)),
                };
                self.key = Some(key);
                return issue;
            }
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

fn key_of(node: Node) -> Result<Key, Issue> {
    let place = node.place;
    match node.value {
        Value::Scalar(scalar) if scalar.plain && scalar.text == "<<" => Err(Issue {
            place,
            message: "merge keys (`<<`) are not supported".to_owned(),
            hint: Some("write the fields out, or use an alias for a whole value".to_owned()),
        }),
        Value::Scalar(scalar) => Ok(Key::Text(scalar.text, place)),
        _ => {
            let message = format!("expected a text as key, found {}", node.describe());
            Err(Issue {
                place,
                message,
                hint: None,
            })
        }
    }
}
