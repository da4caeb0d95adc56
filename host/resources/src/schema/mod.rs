//! JSON Schema of every kind.
//!
//! There is one source, which is the validation: the readers are run over a specimen of each kind, a document with every
//! field, and what they ask of which value is noted on the way (`Reading::note`). What the comments of a specimen say
//! becomes the description of the field below them.

mod draft;
mod shape;
mod tree;

pub(crate) use shape::Shape;

use crate::{
    LoadOptions, Namespace, document,
    kinds::{KINDS, Kind},
    reader::Reading,
    yaml,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use tree::Tree;

/// The dialect that editors know best.
pub const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// Documents of each kind that together have every field.
const SPECIMENS: [(&str, &str); 6] = [
    ("App", include_str!("specimens/app.yaml")),
    ("Component", include_str!("specimens/component.yaml")),
    (
        "Configuration",
        include_str!("specimens/configuration.yaml"),
    ),
    ("HTTPEndpoint", include_str!("specimens/http-endpoint.yaml")),
    ("Resiliency", include_str!("specimens/resiliency.yaml")),
    ("Subscription", include_str!("specimens/subscription.yaml")),
];

/// The kinds that have a schema.
pub fn schema_kinds() -> impl Iterator<Item = &'static str> {
    SPECIMENS.iter().map(|(kind, _)| *kind)
}

/// The schema of a kind, if there is one of this name.
#[must_use]
pub fn schema(kind: &str) -> Option<Value> {
    let (name, specimen) = SPECIMENS.iter().find(|(name, _)| *name == kind)?;
    let kind = KINDS.iter().find(|known| known.name == *name)?;
    let mut versions: Vec<Value> = trees(specimen)
        .iter()
        .map(|(version, tree)| document_schema(kind, version, tree))
        .collect();
    let mut schema = match versions.len() {
        1 => versions.remove(0),
        _ => json!({ "oneOf": versions }),
    };
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!(kind.name);
    Some(schema)
}

/// What is asked of the documents of a specimen, by their apiVersion.
fn trees(specimen: &str) -> BTreeMap<String, Tree> {
    let options = LoadOptions {
        namespace: Namespace::default(),
        env: &|name| Some(name.to_owned()),
        known_apps: Vec::new(),
    };
    let comments = tree::comments(specimen);
    let mut trees: BTreeMap<String, Tree> = BTreeMap::new();
    for parsed in yaml::parse(specimen).documents {
        let mut reading = Reading {
            file: Arc::from(Path::new("specimen")),
            folder: PathBuf::from("/"),
            options: &options,
            findings: Vec::new(),
            references: Vec::new(),
            shapes: Some(Vec::new()),
        };
        // Whether its guest is there is of no interest.
        let _ = document::read(&parsed.root, &mut reading);
        let version = parsed.root.get("apiVersion");
        let version = version.and_then(|node| Some(node.scalar()?.text.clone()));
        let tree = trees.entry(version.unwrap_or_default()).or_default();
        for (path, shape) in reading.shapes.unwrap_or_default() {
            tree.insert(&path, shape, &comments);
        }
    }
    trees
}

fn document_schema(kind: &Kind, version: &str, tree: &Tree) -> Value {
    let mut schema = draft::of(tree);
    schema["properties"]["apiVersion"] = json!({ "const": version });
    schema["properties"]["kind"] = json!({ "const": kind.name });
    schema
}

#[cfg(test)]
mod tests;
