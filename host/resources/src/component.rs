//! `kind: Component` (dapr.io/v1alpha1): a backend.

use crate::{
    AppId, Namespace, Origin, Secret,
    document::{Head, scopes},
    fields::Fields,
    node::quote,
    reader::Reading,
    value::Field,
};
use std::{collections::HashMap, time::Duration};

/// A configured backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// `metadata.name`.
    pub name: String,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.type`.
    pub kind: ComponentType,
    /// Where `spec.type` stands: the place of errors about a type that no driver serves.
    pub type_origin: Origin,
    /// `spec.version`, `v1` if absent.
    pub version: String,
    /// `spec.metadata` in the order of the document.
    pub metadata: Vec<MetadataItem>,
    /// `auth.secretStore`: where `secretKeyRef` looks; absent: the only secret store of the namespace.
    pub secret_store: Option<String>,
    /// Apps that may use it; empty: all of the namespace.
    pub scopes: Vec<AppId>,
    /// How long opening it may take; Dapr's default is 5 s.
    pub init_timeout: Duration,
    /// The host starts even if this backend cannot be opened.
    pub ignore_errors: bool,
    /// Where the document stands.
    pub origin: Origin,
}

/// A type such as `state.redis`: the building block and the driver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentType(pub String);

impl ComponentType {
    /// The building block: `state` of `state.redis`.
    #[must_use]
    pub fn block(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

/// One entry of `spec.metadata`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataItem {
    /// Name as written; compared without case.
    pub name: String,
    /// Value or reference.
    pub value: MetadataValue,
    /// Where the entry stands.
    pub origin: Origin,
}

/// Where the value of a metadata entry comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// In the document; booleans and numbers as their text. Templates are not expanded yet.
    Plain(String),
    /// `secretKeyRef`: `key` defaults to `name`.
    SecretRef {
        /// Name of the secret.
        name: String,
        /// Field of the secret.
        key: String,
    },
    /// `envRef`, already looked up.
    Env(Secret),
}

/// Dapr's default.
const INIT_TIMEOUT: Duration = Duration::from_secs(5);
const SHORTEST_INIT: Duration = Duration::from_millis(1);
const LONGEST_INIT: Duration = Duration::from_secs(3_600);

impl Component {
    pub(crate) fn read(
        head: Head,
        document: &mut Fields<'_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let secret_store = read_auth(document, reading);
        let scopes = scopes(document, reading);
        let spec = document.required("spec", "a map with a `type`", reading)?;
        let mut spec = spec.fields(reading)?;
        let kind = spec.required("type", "a type such as `state.redis`", reading);
        let type_origin = reading.origin(kind.as_ref().map_or(spec.place(), Field::place));
        let kind = kind.and_then(|field| read_type(&field, reading));
        let version = spec.optional("version", reading);
        let version = version.and_then(|field| read_version(&field, reading));
        let metadata = spec.optional("metadata", reading);
        let metadata = metadata
            .map(|field| read_metadata(&field, reading))
            .unwrap_or_default();
        let init_timeout = spec.optional("initTimeout", reading);
        let range = SHORTEST_INIT..=LONGEST_INIT;
        let init_timeout = init_timeout.and_then(|field| field.duration(range, reading));
        let ignore_errors = spec.optional("ignoreErrors", reading);
        let ignore_errors = ignore_errors.and_then(|field| field.boolean(reading));
        spec.finish(reading);
        Some(Self {
            name: head.name,
            namespace: head.namespace,
            kind: kind?,
            type_origin,
            version: version.unwrap_or_else(|| "v1".to_owned()),
            metadata,
            secret_store,
            scopes,
            init_timeout: init_timeout.unwrap_or(INIT_TIMEOUT),
            ignore_errors: ignore_errors.unwrap_or_default(),
            origin: head.origin,
        })
    }
}

pub(crate) fn read_auth(document: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let mut auth = document.child("auth", reading)?;
    let store = auth.required("secretStore", "the name of a secret store", reading);
    let store = store.and_then(|field| field.text(reading).map(str::to_owned));
    auth.finish(reading);
    store
}

fn read_type(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<ComponentType> {
    let text = field.text(reading)?;
    let segment = |segment: &str| {
        !segment.is_empty()
            && segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if text.contains('.') && text.split('.').all(segment) {
        return Some(ComponentType(text.to_owned()));
    }
    let expected = "expected a building block and a driver such as `state.redis`";
    field.refuse(reading, format!("{expected}, found {}", quote(text)));
    None
}

fn read_version(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.any_text(reading)?;
    let behind = text.strip_prefix('v').unwrap_or_default();
    if behind.starts_with(|c: char| c.is_ascii_digit())
        && behind.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return Some(text.to_owned());
    }
    field.refuse(
        reading,
        format!("expected a version such as `v1`, found {}", quote(text)),
    );
    None
}

fn read_metadata(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<MetadataItem> {
    let mut lines: HashMap<String, u32> = HashMap::new();
    let mut metadata = Vec::new();
    for item in field.items(reading) {
        let place = item.place();
        let Some(item) = read_item(item, reading) else {
            continue;
        };
        match lines.get(&item.name.to_lowercase()) {
            Some(line) => {
                let name = quote(&item.name);
                reading.error(
                    place,
                    format!("metadata {name} is given twice, first on line {line}"),
                );
            }
            None => {
                lines.insert(item.name.to_lowercase(), place.line);
                metadata.push(item);
            }
        }
    }
    metadata
}

fn read_item(field: Field<'_>, reading: &mut Reading<'_>) -> Option<MetadataItem> {
    let mut fields = field.fields(reading)?;
    let origin = reading.origin(fields.place());
    let name = fields.required("name", "the name of a metadata entry", reading);
    let name = name.and_then(|field| field.text(reading));
    let value = read_value(&mut fields, name.unwrap_or_default(), reading);
    fields.finish(reading);
    Some(MetadataItem {
        name: name?.to_owned(),
        value: value?,
        origin,
    })
}

/// Exactly one of `value`, `secretKeyRef`, `envRef`. An empty `value` is an empty text, as in many of Dapr's examples.
fn read_value(
    fields: &mut Fields<'_>,
    name: &str,
    reading: &mut Reading<'_>,
) -> Option<MetadataValue> {
    let plain = fields.nullable("value");
    let secret = fields.optional("secretKeyRef", reading);
    let env = fields.optional("envRef", reading);
    match (plain, secret, env) {
        (Some(field), None, None) => {
            Some(MetadataValue::Plain(field.any_text(reading)?.to_owned()))
        }
        (None, Some(field), None) => read_secret_ref(field, reading),
        (None, None, Some(field)) => read_env_ref(&field, reading),
        // One that was misspelt is reported as an unknown field.
        (None, None, None) if fields.has_unknown() => None,
        (None, None, None) => {
            let message = format!(
                "metadata {} has none of `value`, `secretKeyRef` and `envRef`",
                quote(name)
            );
            reading.error(fields.place(), message);
            None
        }
        _ => {
            let message = format!(
                "metadata {} has more than one of `value`, `secretKeyRef` and `envRef`",
                quote(name)
            );
            reading.error(fields.place(), message);
            None
        }
    }
}

pub(crate) fn read_secret_ref(
    field: Field<'_>,
    reading: &mut Reading<'_>,
) -> Option<MetadataValue> {
    let mut fields = field.fields(reading)?;
    let name = fields.required("name", "the name of a secret", reading);
    let name = name.and_then(|field| field.text(reading));
    let key = fields.optional("key", reading);
    let key = key.and_then(|field| field.text(reading));
    fields.finish(reading);
    let name = name?.to_owned();
    let key = key.map_or_else(|| name.clone(), str::to_owned);
    Some(MetadataValue::SecretRef { name, key })
}

/// Dapr's rule: the tokens of the host and its own settings are out of reach.
fn read_env_ref(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<MetadataValue> {
    let name = field.text(reading)?;
    let upper = name.to_ascii_uppercase();
    if upper == "APP_API_TOKEN" || upper.starts_with("DAPR_") {
        field.refuse(
            reading,
            format!(
                "environment variable {} may not be referred to",
                quote(name)
            ),
        );
        return None;
    }
    if name.contains(|c: char| c.is_whitespace() || matches!(c, '=' | '\0')) {
        field.refuse(
            reading,
            format!(
                "expected the name of an environment variable, found {}",
                quote(name)
            ),
        );
        return None;
    }
    let value = (reading.options.env)(name);
    if value.is_none() {
        field.refuse(
            reading,
            format!("environment variable {} is not set", quote(name)),
        );
    }
    value.map(|value| MetadataValue::Env(Secret::new(value)))
}
