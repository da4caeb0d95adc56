//! What was asked, in the order of the document.

use super::Shape;
use std::collections::{BTreeMap, HashMap};

/// One place of a document: a field, any item of a list, any value of a map with free keys.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub shapes: Vec<Shape>,
    pub fields: BTreeMap<String, Tree>,
    pub items: Option<Box<Tree>>,
    pub values: Option<Box<Tree>>,
    /// What the specimen says of it.
    pub description: Option<String>,
}

impl Tree {
    /// Adds what was asked of the value at a path such as `spec.http.paths[0]`.
    pub(super) fn insert(&mut self, path: &str, shape: Shape, comments: &HashMap<u32, String>) {
        let mut at = self;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            at = at.step(step);
        }
        if let Shape::Map { places, .. } = &shape {
            for (name, place) in places {
                let field = at.fields.entry((*name).to_owned()).or_default();
                if let Some(comment) = comments.get(&place.line) {
                    field.description.get_or_insert_with(|| comment.clone());
                }
            }
        }
        if !at.shapes.contains(&shape) {
            at.shapes.push(shape);
        }
    }

    fn step(&mut self, step: &str) -> &mut Self {
        if step.ends_with(']') {
            return self.items.get_or_insert_default();
        }
        if self.shapes.contains(&Shape::Entries) {
            return self.values.get_or_insert_default();
        }
        self.fields.entry(step.to_owned()).or_default()
    }
}

/// The comments of a specimen, by the line that follows them.
pub(super) fn comments(specimen: &str) -> HashMap<u32, String> {
    let mut comments = HashMap::new();
    let mut open: Vec<&str> = Vec::new();
    for (line, text) in (1..).zip(specimen.lines()) {
        let text = text.trim_start();
        // The first field of a list's item may have its comment behind the dash.
        match text.strip_prefix("- ").unwrap_or(text).strip_prefix('#') {
            Some(comment) => open.push(comment.trim()),
            None if open.is_empty() => {}
            None => {
                comments.insert(line, open.join(" "));
                open.clear();
            }
        }
    }
    comments
}
