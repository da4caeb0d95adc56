//! A tree of shapes as JSON Schema.

use super::{Shape, tree::Tree};
use serde_json::{Map, Value, json};

// What `parse_duration`, `parse_duration_or_millis` and `ByteSize` take.
const DURATION: &str = r"^(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";
const MILLISECONDS: &str = r"^([0-9]+|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";
const SIZE: &str = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";

/// The schema of a place.
pub(super) fn of(tree: &Tree) -> Value {
    let mut forms: Vec<Value> = Vec::new();
    if tree
        .shapes
        .iter()
        .any(|shape| matches!(shape, Shape::Map { .. }))
    {
        forms.push(map(tree));
    }
    forms.extend(tree.shapes.iter().filter_map(|shape| form(shape, tree)));
    let mut schema = match forms.len() {
        0 => json!({}),
        1 => forms.remove(0),
        _ => json!({ "anyOf": forms }),
    };
    if let Some(description) = &tree.description {
        schema["description"] = json!(description);
    }
    schema
}

fn form(shape: &Shape, tree: &Tree) -> Option<Value> {
    Some(match shape {
        Shape::Map { .. } => return None,
        // A word is read as a text first.
        Shape::Text if is_choice(tree) => return None,
        Shape::Entries => {
            let values = tree.values.as_deref().map_or(json!({}), of);
            json!({ "type": "object", "additionalProperties": values })
        }
        Shape::Items => {
            let items = tree.items.as_deref().map_or(json!({}), of);
            json!({ "type": "array", "items": items })
        }
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean", "null"] }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer(range) => {
            json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
        }
        // Nothing else has no unit.
        Shape::Duration => {
            json!({ "anyOf": [{ "type": "string", "pattern": DURATION }, { "const": 0 }] })
        }
        Shape::Milliseconds => unit(MILLISECONDS),
        Shape::Size => unit(SIZE),
        Shape::Choice(words) => choice(words),
    })
}

fn is_choice(tree: &Tree) -> bool {
    let mut shapes = tree.shapes.iter();
    shapes.any(|shape| matches!(shape, Shape::Choice(_)))
}

/// YAML makes a number of a value without a unit.
fn unit(pattern: &str) -> Value {
    json!({ "type": ["string", "number"], "pattern": pattern, "minimum": 0 })
}

/// The words are what an editor offers; any case of them is right.
fn choice(words: &[String]) -> Value {
    let any_case = |word: &String| {
        let letters = word.chars().map(|letter| {
            let (low, high) = (letter.to_lowercase(), letter.to_uppercase());
            if letter.is_alphabetic() {
                format!("[{low}{high}]")
            } else {
                escaped(letter)
            }
        });
        letters.collect::<String>()
    };
    let pattern = words.iter().map(any_case).collect::<Vec<_>>().join("|");
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": format!("^({pattern})$") }] })
}

fn escaped(letter: char) -> String {
    if r"\^$.|?*+()[]{}/".contains(letter) {
        format!("\\{letter}")
    } else {
        letter.to_string()
    }
}

/// A field that is known but never read, since it is an error wherever it stands, is no property.
fn map(tree: &Tree) -> Value {
    let mut properties = Map::new();
    for (name, field) in &tree.fields {
        if !field.shapes.is_empty() {
            properties.insert(name.clone(), of(field));
        }
    }
    let mut required: Option<Vec<&str>> = None;
    for shape in &tree.shapes {
        let Shape::Map {
            required: own,
            ignored,
            ..
        } = shape
        else {
            continue;
        };
        for name in ignored {
            properties.entry(*name).or_insert_with(|| json!({}));
        }
        // What one of several documents may leave out is not required.
        required = Some(match required {
            None => own.clone(),
            Some(known) => known
                .into_iter()
                .filter(|name| own.contains(name))
                .collect(),
        });
    }
    let mut schema =
        json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let Some(required) = required.filter(|names| !names.is_empty()) {
        schema["required"] = json!(required);
    }
    schema
}
