//! Which operation of a policy a path belongs to.
//!
//! Paths are compared without case and segment by segment, in a tree. Among the entries at one place the one that stands
//! first in the document wins, and there is no way back: this is how Dapr does it, and documents rely on it.
//! - `*` within a segment stands for any characters, none included.
//! - A segment `*` stands for the last segment of a path, and for none: `/a/*` covers `/a` and `/a/b`.
//! - A segment `**` stands for all the rest.
//! - Any other entry covers what lies below it as well: `/a` covers `/a/b/c` unless an entry below `/a` comes before it.

use super::Action;

/// The operations of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Operations(Vec<Node>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    segment: String,
    verbs: Option<Vec<(&'static str, Action)>>,
    below: Vec<Node>,
}

impl Operations {
    /// Adds an entry; false if there is one for the same path.
    pub fn insert(&mut self, name: &str, verbs: &[&'static str], action: Action) -> bool {
        let name = name.trim_matches('/').to_lowercase();
        let segments: Vec<&str> = name.split('/').collect();
        let verbs = verbs.iter().map(|verb| (*verb, action)).collect();
        insert(&mut self.0, &segments, verbs)
    }

    /// What the entry of a path says about a method; `None`: nothing.
    pub fn action(&self, path: &str, verb: &str) -> Option<Action> {
        let path = normalize(path);
        let segments: Vec<&str> = path.split('/').collect();
        let verbs = search(&self.0, &segments)?;
        let said = |wanted: &str| verbs.iter().find(|(verb, _)| *verb == wanted);
        said(verb).or_else(|| said("*")).map(|(_, action)| *action)
    }
}

fn insert(nodes: &mut Vec<Node>, segments: &[&str], verbs: Vec<(&'static str, Action)>) -> bool {
    let Some((first, rest)) = segments.split_first() else {
        return false;
    };
    let at = nodes.iter().position(|node| node.segment == *first);
    let at = at.unwrap_or_else(|| {
        nodes.push(Node {
            segment: (*first).to_owned(),
            verbs: None,
            below: Vec::new(),
        });
        nodes.len() - 1
    });
    let Some(node) = nodes.get_mut(at) else {
        return false;
    };
    if !rest.is_empty() {
        return insert(&mut node.below, rest, verbs);
    }
    let is_new = node.verbs.is_none();
    node.verbs.get_or_insert(verbs);
    is_new
}

fn search<'n>(nodes: &'n [Node], segments: &[&str]) -> Option<&'n [(&'static str, Action)]> {
    let (first, rest) = segments.split_first()?;
    let is_last = rest.is_empty();
    let node = nodes.iter().find(|node| match node.segment.as_str() {
        "*" => is_last || *first == "*",
        "**" => true,
        pattern => matches(pattern, first),
    })?;
    match &node.verbs {
        // A `*` that is not at the end is a step on the way.
        Some(_) if !is_last && node.segment == "*" => search(&node.below, rest),
        Some(verbs) => Some(verbs),
        None if is_last => {
            let mut below = node.below.iter();
            let none = below.find(|below| matches!(below.segment.as_str(), "*" | "**"));
            none?.verbs.as_deref()
        }
        None => search(&node.below, rest),
    }
}

/// Whether a text is what a pattern describes. Linear in the product of both, whatever they are.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut place) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(expected) if expected == byte => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((stood, taken)) = star else {
                    return false;
                };
                star = Some((stood, taken + 1));
                at = stood + 1;
                place = taken + 1;
            }
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// The path as it is compared: no slash at either end, none twice, no dot segments, no escapes of what needs none, lower
/// case. Two spellings of one path must not have two answers.
pub(super) fn normalize(path: &str) -> String {
    let decoded = decode(path);
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.join("/").to_lowercase()
}

/// Takes back percent escapes of characters that need none (RFC 3986 section 6.2.2.2).
fn decode(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let byte = rest
            .get(1..3)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') => {
                decoded.push(c);
                rest = &rest[3..];
            }
            _ => {
                decoded.push('%');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}
