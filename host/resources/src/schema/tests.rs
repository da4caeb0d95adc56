use super::*;
use crate::{
    Source, load,
    node::{self, Node},
};
use boon::{Compiler, Schemas};
use std::fs;

/// Every property of a schema, by its path.
fn properties(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        properties(field, &path, found);
        found.push((path, field.clone()));
    }
    for (key, step) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(inner) = schema.get(key) {
            properties(inner, &format!("{path}{step}"), found);
        }
    }
    for form in ["anyOf", "oneOf"] {
        for form in schema[form].as_array().into_iter().flatten() {
            properties(form, path, found);
        }
    }
}

#[test]
fn the_specimens_are_right() {
    for (kind, specimen) in SPECIMENS {
        // One by one: several documents of a specimen have one name.
        for (index, text) in specimen.split("\n---\n").enumerate() {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("order-service.wasm"), "").unwrap();
            fs::write(folder.path().join("specimen.yaml"), text).unwrap();
            fs::create_dir(folder.path().join("data")).unwrap();
            let options = LoadOptions {
                env: &|name| Some(name.to_owned()),
                ..LoadOptions::default()
            };
            let loaded = load(&[Source::Dir(folder.path().to_owned())], &options);
            let errors: Vec<_> = loaded
                .diagnostics
                .iter()
                .filter(|finding| finding.severity == crate::Severity::Error)
                // Names of other documents.
                .filter(|finding| !finding.message.starts_with("no "))
                .collect();
            assert!(errors.is_empty(), "{kind} {index}: {errors:#?}");
        }
    }
}

/// A field that a reader knows and no specimen has would be missing from the schema.
#[test]
fn the_specimens_have_every_field() {
    // Errors wherever they stand, each with a message of its own; or an old place, with a warning.
    const ERRORS: [&str; 9] = [
        "Subscription.spec.route",
        "Subscription.spec.routes",
        "Resiliency.spec.targets.components.*.timeout",
        "Resiliency.spec.targets.components.*.retry",
        "Resiliency.spec.targets.components.*.circuitBreaker",
        "Resiliency.spec.targets.apps.*.inbound",
        "Resiliency.spec.targets.apps.*.outbound",
        "Resiliency.spec.targets.services.*.inbound",
        "Resiliency.spec.targets.services.*.outbound",
    ];
    for (kind, specimen) in SPECIMENS {
        for tree in trees(specimen).values() {
            for path in unread(tree, kind) {
                assert!(ERRORS.contains(&path.as_str()), "no specimen has {path}");
            }
        }
    }
}

/// Fields that are known and not in any document of the specimen.
fn unread(tree: &Tree, path: &str) -> Vec<String> {
    let known = tree.shapes.iter().filter_map(|shape| match shape {
        Shape::Map { known, .. } => Some(known),
        _ => None,
    });
    let missing = known.flatten().filter(|name| {
        let field = tree.fields.get(**name);
        field.is_none_or(|field| field.shapes.is_empty())
    });
    let mut unread: Vec<String> = missing.map(|name| format!("{path}.{name}")).collect();
    for (name, field) in &tree.fields {
        unread.extend(self::unread(field, &format!("{path}.{name}")));
    }
    unread.extend(
        tree.items
            .iter()
            .flat_map(|items| self::unread(items, &format!("{path}[]"))),
    );
    unread.extend(
        tree.values
            .iter()
            .flat_map(|value| self::unread(value, &format!("{path}.*"))),
    );
    unread
}

#[test]
fn every_field_has_a_description() {
    for kind in schema_kinds() {
        let mut found = Vec::new();
        properties(&schema(kind).unwrap(), kind, &mut found);
        assert!(found.len() > 10, "{kind}");
        for (path, field) in found {
            // What is ignored, what every document has, and an old name.
            let is_plain = field == json!({}) || field.get("const").is_some();
            let is_known = path.ends_with(".metadata") || path.ends_with(".spec");
            let is_old = path.contains(".services.");
            let text = field["description"].as_str().unwrap_or_default();
            assert!(
                is_plain || is_known || is_old || !text.is_empty(),
                "{path} has no comment"
            );
        }
    }
}

#[test]
fn a_schema_says_what_the_validation_says() {
    let app = schema("App").unwrap();
    let spec = &app["properties"]["spec"];
    assert_eq!(spec["required"], json!(["guest"]));
    assert_eq!(spec["additionalProperties"], false);
    let limits = &spec["properties"]["limits"]["properties"];
    assert_eq!(limits["concurrency"]["maximum"], 100_000);
    assert_eq!(limits["memory"]["pattern"], draft_size());
    assert!(
        limits["cpuTime"]["description"]
            .as_str()
            .unwrap()
            .contains("500ms")
    );
    assert_eq!(
        schema("Subscription").unwrap()["oneOf"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(schema("Komponent").is_none());
}

fn draft_size() -> Value {
    json!(r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
}

/// A node as JSON, as an editor sees it.
fn json_of(node: &Node) -> Value {
    match &node.value {
        node::Value::List(items) => items.iter().map(json_of).collect(),
        node::Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json_of(&entry.value)))
            .collect(),
        node::Value::Scalar(scalar) => match scalar.kind() {
            node::Kind::Null => Value::Null,
            node::Kind::Boolean(value) => json!(value),
            node::Kind::Number => serde_json::from_str(&scalar.text).unwrap_or(json!(scalar.text)),
            node::Kind::Text => json!(scalar.text),
        },
    }
}

/// What a schema says of a document; nothing if it is right.
fn fault(document: &Value) -> Option<String> {
    let kind = document["kind"].as_str().unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("schema.json", schema(kind)?).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    let checked = schemas.validate(document, index);
    checked.err().map(|error| format!("{error:#}"))
}

fn documents(text: &str) -> Vec<Value> {
    let parsed = yaml::parse(text).documents;
    let ours = parsed
        .iter()
        .filter(|parsed| document::is_ours(&parsed.root));
    ours.map(|parsed| json_of(&parsed.root)).collect()
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            yaml_files(&path, found);
        } else if name.ends_with(".yaml") {
            found.push(path);
        }
    }
}

#[test]
fn the_documents_of_the_repository_fit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["components", "guest-examples"] {
        yaml_files(&root.join(folder), &mut files);
    }
    let mut checked = 0;
    for file in files {
        for document in documents(&fs::read_to_string(&file).unwrap()) {
            assert_eq!(fault(&document), None, "{}", file.display());
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked} documents");
}

#[test]
fn the_specimens_fit_and_what_is_wrong_does_not() {
    for (kind, specimen) in SPECIMENS {
        for mut document in documents(specimen) {
            assert_eq!(fault(&document), None, "{kind}");
            document["spec"]["guesst"] = json!("x");
            assert!(fault(&document).is_some(), "{kind}: a misspelt field");
        }
    }
    let app = || documents(SPECIMENS[0].1).remove(0);
    for (pointer, wrong) in [
        ("/apiVersion", json!("dapr.io/v1alpha1")),
        ("/spec/limits/memory", json!("64MB")),
        ("/spec/limits/cpuTime", json!("5 seconds")),
        ("/spec/limits/concurrency", json!("64")),
        ("/spec/limits/queue", json!(-1)),
        ("/spec/http/paths", json!("/orders")),
        ("/spec/allow/files/0/access", json!("execute")),
        ("/metadata/name", json!(7)),
    ] {
        let mut document = app();
        *document.pointer_mut(pointer).unwrap() = wrong;
        assert!(fault(&document).is_some(), "{pointer}");
    }
    let mut document = app();
    document["spec"].as_object_mut().unwrap().remove("guest");
    assert!(fault(&document).is_some(), "no guest");
    let mut document = app();
    document["spec"]["allow"]["files"][0]["access"] = json!("READ");
    assert_eq!(
        fault(&document),
        None,
        "words in any case, as the validation has it"
    );
}
