//! The metadata entries of a driver, from the schema of its struct.

use berth_blocks::registry::Driver;
use serde_json::Value;

/// A row of the table.
pub struct Field {
    pub name: String,
    pub aliases: Vec<String>,
    pub kind: String,
    pub default: String,
    pub required: bool,
    pub description: String,
}

/// The entries in the order of the struct.
pub fn of(driver: &Driver) -> Vec<Field> {
    let schema = (driver.schema)().to_value();
    let names = (driver.names)();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, field)| {
            let entry = names.iter().find(|entry| &entry.name == name);
            let text = field["description"].as_str().unwrap_or_default();
            Field {
                name: name.clone(),
                aliases: entry.map(|entry| entry.aliases.clone()).unwrap_or_default(),
                kind: kind(&schema, field),
                default: default(&field["default"], text),
                required: required.contains(&Value::from(name.as_str())),
                description: cell(text),
            }
        })
        .collect()
}

/// What one writes there.
fn kind(schema: &Value, field: &Value) -> String {
    if let Some(name) = field["$ref"].as_str() {
        let definition = name.trim_start_matches('#');
        return kind(schema, schema.pointer(definition).unwrap_or(&Value::Null));
    }
    for choice in ["anyOf", "allOf", "oneOf"] {
        if let Some(all) = field[choice].as_array() {
            let kinds = all.iter().filter(|one| one["type"] != "null");
            let kinds: Vec<_> = kinds.map(|one| kind(schema, one)).collect();
            return kinds.join(", ");
        }
    }
    if let Some(value) = field["const"].as_str() {
        return format!("`{value}`");
    }
    if let Some(values) = field["enum"].as_array() {
        let values = values.iter().filter_map(Value::as_str);
        return values
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    simple(field).to_owned()
}

fn simple(field: &Value) -> &'static str {
    let kind = match &field["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null"),
        kind => Some(kind),
    };
    match (
        kind.and_then(Value::as_str),
        field["format"].as_str().unwrap_or_default(),
    ) {
        (Some("string"), "duration") => "duration",
        (Some("string"), "size") => "size",
        (Some("string"), "secret") => "text, secret",
        (Some("string"), _) => "text",
        (Some("boolean"), _) => "`true`, `false`",
        (Some("integer"), _) => "whole number",
        (Some("number"), _) => "number",
        (Some("array"), _) => "list with commas",
        (kind, format) => panic!("the page has no word for a field of {kind:?} {format}: {field}"),
    }
}

/// The value that the schema knows, else the one that the description tells: "default `2s`", "Default 1000.".
fn default(known: &Value, description: &str) -> String {
    match known {
        Value::Bool(value) => return format!("`{value}`"),
        Value::Number(value) => return format!("`{value}`"),
        Value::String(value) if !value.is_empty() => return format!("`{value}`"),
        _ => {}
    }
    let Some((_, told)) = description
        .split_once("efault")
        .filter(|(before, _)| before.ends_with(['d', 'D']))
    else {
        return String::new();
    };
    let told = told.trim_start_matches(':').trim_start();
    if let Some(quoted) = told.strip_prefix('`') {
        let value = quoted.split('`').next().unwrap_or_default();
        return format!("`{value}`");
    }
    let digits: String = told.chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() {
        String::new()
    } else {
        format!("`{digits}`")
    }
}

/// Text as a cell of a table takes it.
fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
