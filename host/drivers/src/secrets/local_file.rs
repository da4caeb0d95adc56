//! `secretstores.local.file`: secrets from a JSON file, for development. The file is read when the store is opened, and
//! the host opens it again when the file has changed.
//!
//! Nested objects and lists become names with a separator, `db:password`, `hosts:0`; with `multiValued` the first
//! level is the secret and what lies below its fields. Numbers are decimals as one would write them, where Dapr gives
//! the form that its language prints.

use async_trait::async_trait;
use berth_blocks::{
    registry::{Driver, InputFile, OpenContext, OpenError, Opened},
    secrets::{SecretError, SecretFields, SecretStore},
};
use berth_resources::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tokio::sync::Semaphore;

/// Metadata of `secretstores.local.file`. The doc comments become the reference page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LocalFileMetadata {
    /// Path of the JSON file, relative to the working directory.
    secrets_file: PathBuf,
    /// What stands between the parts of a nested name, default `:`.
    #[serde(default)]
    nested_separator: Option<String>,
    /// Makes the first level of the file secrets with several fields instead of one secret per value.
    #[serde(default)]
    multi_valued: bool,
}

/// Reads at the same time. One that never ends keeps its thread, and the host tries again and again.
static READERS: Semaphore = Semaphore::const_new(4);

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: secretsFile
  value: components/embedded/secrets.json
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "secretstores.local.file",
        &["v1"],
        "Secrets in a JSON file, for development",
        |_: OpenContext, metadata| async move {
            // Off the executor: a file on a dead mount, or a pipe that nobody writes to, blocks whoever reads it.
            let reader = READERS.acquire().await;
            let opened = tokio::task::spawn_blocking(move || {
                let _reader = reader;
                open(&metadata)
            })
            .await;
            let store = opened
                .map_err(|error| OpenError::Backend(format!("reading the secrets: {error}")))??;
            Ok(Opened {
                files: vec![store.file.clone()],
                ..Opened::secrets(store)
            })
        },
    )
    .example(EXAMPLE)
}

fn open(metadata: &LocalFileMetadata) -> Result<LocalFile, OpenError> {
    let path = std::path::absolute(&metadata.secrets_file)
        .map_err(|error| wrong(&metadata.secrets_file, &error.to_string()))?;
    let file = InputFile::at(&path);
    let text = std::fs::read(&path).map_err(|error| wrong(&path, &error.to_string()))?;
    let Value::Object(document) = serde_json::from_slice(&text)
        .map_err(|error| wrong(&path, &format!("not JSON: {error}")))?
    else {
        return Err(wrong(
            &path,
            "expected a JSON object with the names of secrets",
        ));
    };
    let separator = metadata.nested_separator.as_deref().unwrap_or_default();
    let separator = if separator.is_empty() { ":" } else { separator };
    let secrets = if metadata.multi_valued {
        by_first_level(document, separator)
    } else {
        by_value(document, separator)
    };
    Ok(LocalFile {
        secrets: secrets.map_err(|twice| {
            wrong(
                &path,
                &format!(
                    "`{twice}` stands there twice, once nested: rename one or set `nestedSeparator`"
                ),
            )
        })?,
        file,
    })
}

fn wrong(path: &Path, message: &str) -> OpenError {
    OpenError::Metadata {
        field: "secretsFile".to_owned(),
        message: format!("`{}`: {message}", path.display()),
    }
}

type Secrets = BTreeMap<String, SecretFields>;

/// Every value a secret of one field. The error is a name that occurs twice.
fn by_value(document: Map<String, Value>, separator: &str) -> Result<Secrets, String> {
    let mut fields = SecretFields::new();
    flatten(
        String::new(),
        Value::Object(document),
        separator,
        &mut fields,
    )?;
    let single =
        |(name, value): (String, Secret)| (name.clone(), SecretFields::from([(name, value)]));
    Ok(fields.into_iter().map(single).collect())
}

/// The first level names the secrets. The error is a name that occurs twice.
fn by_first_level(document: Map<String, Value>, separator: &str) -> Result<Secrets, String> {
    let mut secrets = Secrets::new();
    for (name, value) in document {
        let mut fields = SecretFields::new();
        let nested = value.is_object() || value.is_array();
        let root = if nested { String::new() } else { name.clone() };
        flatten(root, value, separator, &mut fields).map_err(|field| format!("{name}/{field}"))?;
        secrets.insert(name, fields);
    }
    Ok(secrets)
}

/// How deep a document may nest is limited by the JSON reader (128).
fn flatten(
    path: String,
    value: Value,
    separator: &str,
    fields: &mut SecretFields,
) -> Result<(), String> {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}{separator}{name}")
        }
    };
    let text = match value {
        Value::Object(entries) => {
            return entries
                .into_iter()
                .try_for_each(|(name, value)| flatten(below(&name), value, separator, fields));
        }
        Value::Array(items) => {
            return items
                .into_iter()
                .enumerate()
                .try_for_each(|(index, value)| {
                    flatten(below(&index.to_string()), value, separator, fields)
                });
        }
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => decimal(&number),
        Value::String(text) => text,
    };
    match fields.insert(path.clone(), Secret::new(text)) {
        None => Ok(()),
        Some(_) => Err(path),
    }
}

/// Without exponent and without a fraction that is zero.
fn decimal(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

/// An open `secretstores.local.file`.
struct LocalFile {
    secrets: Secrets,
    file: InputFile,
}

#[async_trait]
impl SecretStore for LocalFile {
    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<SecretFields, SecretError> {
        self.secrets.get(name).cloned().ok_or_else(|| {
            SecretError::NotFound(format!(
                "no secret `{name}` in `{}`",
                self.file.path().display()
            ))
        })
    }

    async fn bulk(&self, _: &[(String, String)]) -> Result<Secrets, SecretError> {
        Ok(self.secrets.clone())
    }

    async fn ping(&self) -> Result<(), SecretError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_blocks::conformance::Subject;

    async fn open_for_test() -> Subject<dyn SecretStore> {
        let folder = tempfile::tempdir().unwrap();
        let secrets_file = folder.path().join("secrets.json");
        std::fs::write(
            &secrets_file,
            r#"{"conftestsecret": "abcd", "secondsecret": "efgh"}"#,
        )
        .unwrap();
        let metadata = LocalFileMetadata {
            secrets_file,
            nested_separator: None,
            multi_valued: false,
        };
        Subject::new(std::sync::Arc::new(open(&metadata).unwrap()))
    }

    berth_blocks::secrets_conformance!(conformance: open_for_test);

    /// The secrets of a file as `secret.field=value`.
    async fn read(json: &str, entries: Value) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.json");
        std::fs::write(&file, json).unwrap();
        let mut metadata: LocalFileMetadata = serde_json::from_value(entries).unwrap();
        metadata.secrets_file = folder.path().join(&metadata.secrets_file);
        let store = open(&metadata).map_err(|error| {
            error
                .to_string()
                .replace(folder.path().to_str().unwrap(), "/conf")
        })?;
        let secrets = store.bulk(&[]).await.unwrap();
        let lines = secrets.iter().flat_map(|(name, fields)| {
            let line = move |(field, value): (&String, &Secret)| {
                format!("{name}.{field}={}", value.reveal())
            };
            fields.iter().map(line)
        });
        Ok(lines.collect())
    }

    #[tokio::test]
    async fn nested_values_become_secrets_with_long_names() {
        let json = r#"{"a": {"b": "x", "list": ["y", true]}, "n": 1.50, "big": 1e21, "i": 7, "none": null}"#;
        assert_eq!(
            read(json, serde_json::json!({"secretsFile": "secrets.json"}))
                .await
                .unwrap(),
            [
                "a:b.a:b=x",
                "a:list:0.a:list:0=y",
                "a:list:1.a:list:1=true",
                "big.big=1000000000000000000000",
                "i.i=7",
                "n.n=1.5",
                "none.none=",
            ]
        );
    }

    #[tokio::test]
    async fn multi_valued_keeps_the_first_level_as_the_secret() {
        let json = r#"{"db": {"user": "u", "tls": {"key": "k"}}, "single": "s"}"#;
        let metadata = serde_json::json!({"secretsFile": "secrets.json", "multiValued": true, "nestedSeparator": "."});
        assert_eq!(
            read(json, metadata).await.unwrap(),
            ["db.tls.key=k", "db.user=u", "single.single=s"]
        );
    }

    #[tokio::test]
    async fn errors_show_the_absolute_path_that_was_tried() {
        let default = serde_json::json!({"secretsFile": "secrets.json"});
        let missing = serde_json::json!({"secretsFile": "other.json"});
        let errors = [
            read("{}", missing).await.unwrap_err(),
            read("{\n  broken", default.clone()).await.unwrap_err(),
            read("[]", default.clone()).await.unwrap_err(),
            read(r#"{"a": {"b": "1"}, "a:b": "2"}"#, default)
                .await
                .unwrap_err(),
        ];
        assert_eq!(
            errors,
            [
                "metadata `secretsFile`: `/conf/other.json`: No such file or directory (os error 2)",
                "metadata `secretsFile`: `/conf/secrets.json`: not JSON: key must be a string at line 2 column 3",
                "metadata `secretsFile`: `/conf/secrets.json`: expected a JSON object with the names of secrets",
                "metadata `secretsFile`: `/conf/secrets.json`: `a:b` stands there twice, once nested: rename one or \
                 set `nestedSeparator`",
            ]
        );
    }

    #[tokio::test]
    async fn an_unknown_secret_is_not_found() {
        let store = LocalFile {
            secrets: Secrets::new(),
            file: InputFile::at("/conf/secrets.json".as_ref()),
        };
        assert_eq!(
            store.get("db", &[]).await,
            Err(SecretError::NotFound(
                "no secret `db` in `/conf/secrets.json`".to_owned()
            ))
        );
    }
}
