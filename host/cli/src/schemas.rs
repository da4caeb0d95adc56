//! JSON Schema of documents: of a kind, of the Component documents of a type, and of a file with documents of any kind.
//!
//! The kinds come from the readers of the resources crate, the settings of a type from its driver's metadata struct.

use crate::{failure::Failure, registry::registry};
use anyhow::Context;
use berth_blocks::registry::{Driver, Registry};
use berth_resources::{did_you_mean, schema, schema_kinds};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// What a file with documents of any kind has.
pub const ANY: &str = "documents";
/// Where a project keeps schemas: templates point their editor there.
pub const FOLDER: &str = ".berth/schemas";
const COMPONENT: &str = "Component";
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// The kinds, and the component types.
pub fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    (schema_kinds().collect(), registry().kinds())
}

/// The schema of a kind, of a component type, or of documents of any kind.
///
/// # Errors
/// There is none of this name: the nearest is named.
pub fn find(name: &str) -> Result<Value, Failure> {
    let registry = registry();
    let (kinds, types) = (schema_kinds().collect::<Vec<_>>(), registry.kinds());
    if let Some(kind) = kinds.iter().find(|kind| kind.eq_ignore_ascii_case(name)) {
        return Ok(of_kind(kind, &registry));
    }
    if let Some(driver) = registry.driver(name) {
        return Ok(of_type(driver));
    }
    if name == ANY {
        return Ok(of_any(&registry));
    }
    let known = kinds.iter().chain(&types).copied().chain([ANY]);
    let meant = did_you_mean(name, known);
    Err(
        Failure::input_text(format!("there is no schema `{name}`{meant}"))
            .hint("`berth schema` lists the kinds and the component types"),
    )
}

/// Writes the schema of documents of any kind into a project, if another one is there.
///
/// # Errors
/// The disk.
pub fn write(project: &Path) -> Result<(), Failure> {
    let path = project.join(FOLDER).join(format!("{ANY}.json"));
    let text = of_any(&registry()).to_string();
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let folder = project.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}

fn of_any(registry: &Registry) -> Value {
    let kinds: Vec<&str> = schema_kinds().collect();
    let each = kinds.iter().map(|kind| {
        let is_kind = json!({ "properties": { "kind": { "const": kind } }, "required": ["kind"] });
        json!({ "if": is_kind, "then": without_dialect(of_kind(kind, registry)) })
    });
    json!({
        "$schema": DIALECT,
        "title": "Documents of berth",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": { "kind": { "enum": kinds } },
        "allOf": each.collect::<Vec<_>>(),
    })
}

fn of_kind(kind: &str, registry: &Registry) -> Value {
    let mut found = schema(kind).unwrap_or_default();
    if kind != COMPONENT {
        return found;
    }
    found["properties"]["spec"]["properties"]["type"] = json!({
        "enum": registry.kinds(),
        "description": "Building block and driver.",
    });
    let each = registry.0.iter().map(|driver| {
        let is_type =
            json!({ "properties": { "type": { "const": driver.kind } }, "required": ["type"] });
        json!({ "if": is_type, "then": { "properties": { "metadata": settings(driver) } } })
    });
    found["properties"]["spec"]["allOf"] = each.collect();
    found
}

fn of_type(driver: &Driver) -> Value {
    let mut found = schema(COMPONENT).unwrap_or_default();
    found["title"] = json!(driver.kind);
    found["description"] = json!(driver.summary);
    let spec = &mut found["properties"]["spec"];
    spec["properties"]["type"] = json!({ "const": driver.kind });
    spec["allOf"] = json!([{ "properties": { "metadata": settings(driver) } }]);
    found
}

/// `spec.metadata` of a type: which names there are, in any case, and what their values are.
fn settings(driver: &Driver) -> Value {
    let schema = (driver.schema)();
    let fields = schema.get("properties").and_then(Value::as_object);
    let names = driver.metadata_names();
    if names.is_empty() {
        return json!({ "maxItems": 0 });
    }
    let described = names.iter().filter_map(|name| {
        let field = fields?.get(name)?;
        let is_name = json!({ "properties": { "name": { "const": name } } });
        Some(json!({ "if": is_name, "then": { "properties": { "value": value(field) } } }))
    });
    let any_case: Vec<String> = names.iter().map(|name| any_case(name)).collect();
    let name = json!({
        "anyOf": [{ "enum": names }, { "type": "string", "pattern": format!("^({})$", any_case.join("|")) }],
    });
    json!({ "items": { "properties": { "name": name }, "allOf": described.collect::<Vec<_>>() } })
}

/// Any value may come as text, and what is text elsewhere may come as a number: an editor is told what is meant.
fn value(field: &Value) -> Value {
    let mut told = Map::new();
    for key in ["description", "default", "examples"] {
        if let Some(found) = field.get(key).filter(|found| !found.is_null()) {
            told.insert(key.to_owned(), found.clone());
        }
    }
    if let Some(words) = field.get("enum") {
        told.insert("examples".to_owned(), words.clone());
    }
    Value::Object(told)
}

fn any_case(name: &str) -> String {
    let letter = |letter: char| match letter {
        letter if letter.is_alphabetic() => {
            format!("[{}{}]", letter.to_lowercase(), letter.to_uppercase())
        }
        letter if r"\^$.|?*+()[]{}/".contains(letter) => format!("\\{letter}"),
        letter => letter.to_string(),
    };
    name.chars().map(letter).collect()
}

fn without_dialect(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use boon::{Compiler, SchemaIndex, Schemas};

    /// A schema as an editor uses it.
    struct Editor {
        schemas: Schemas,
        index: SchemaIndex,
    }

    impl Editor {
        fn with(name: &str) -> Self {
            let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
            compiler
                .add_resource("schema.json", find(name).unwrap())
                .unwrap();
            let index = compiler.compile("schema.json", &mut schemas).unwrap();
            Self { schemas, index }
        }

        fn fault(&self, document: &Value) -> Option<String> {
            let checked = self.schemas.validate(document, self.index);
            checked.err().map(|error| format!("{error:#}"))
        }
    }

    fn component(kind: &str, setting: &str) -> Value {
        json!({
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Component",
            "metadata": { "name": "backend" },
            "spec": { "type": kind, "version": "v1", "metadata": [{ "name": setting, "value": "x" }] },
        })
    }

    #[test]
    fn every_component_type_has_a_schema_that_knows_its_settings() {
        let any = Editor::with(ANY);
        for driver in registry().0 {
            let own = Editor::with(driver.kind);
            for name in driver.metadata_names() {
                for setting in [name.to_uppercase(), name] {
                    let document = component(driver.kind, &setting);
                    assert_eq!(own.fault(&document), None, "{}: {setting}", driver.kind);
                    assert_eq!(any.fault(&document), None, "{}: {setting}", driver.kind);
                }
            }
            let misspelt = component(driver.kind, "no such setting");
            assert!(own.fault(&misspelt).is_some(), "{}", driver.kind);
            assert!(any.fault(&misspelt).is_some(), "{}", driver.kind);
        }
        assert!(any.fault(&component("state.reddis", "x")).is_some());
    }

    #[test]
    fn a_file_may_hold_documents_of_any_kind() {
        let any = Editor::with(ANY);
        let app = |field: &str| {
            json!({
                "apiVersion": "berth.dev/v1alpha1",
                "kind": "App",
                "metadata": { "name": "orders" },
                "spec": { field: "./orders.wasm" },
            })
        };
        assert_eq!(any.fault(&app("guest")), None);
        assert!(any.fault(&app("guesst")).is_some());
        assert!(
            any.fault(&json!({ "apiVersion": "berth.dev/v1alpha1", "kind": "Ap" }))
                .is_some()
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        insta::assert_snapshot!(find("Compnent").unwrap_err(), @r"
        there is no schema `Compnent` (did you mean `Component`?)
          hint: `berth schema` lists the kinds and the component types
        ");
        insta::assert_snapshot!(find("state.reddis").unwrap_err(), @r"
        there is no schema `state.reddis` (did you mean `state.redis`?)
          hint: `berth schema` lists the kinds and the component types
        ");
    }
}
