//! One document: is it ours, of which kind, under which name.

use crate::{
    App, AppId, Component, Configuration, HttpEndpoint, Namespace, Origin, Resiliency,
    Subscription,
    fields::Fields,
    kinds::{KINDS, Kind, Ownership, ownership},
    node::{Node, Place, quote},
    reader::Reading,
    suggest::{did_you_mean, nearest},
    value::{Field, list},
};

/// What every document says of itself.
pub(crate) struct Head {
    /// The part of apiVersion behind the slash.
    pub version: String,
    pub name: String,
    pub namespace: Namespace,
    pub origin: Origin,
}

/// A document that was read.
#[derive(Debug, Clone)]
pub(crate) enum Resource {
    App(App),
    Component(Component),
    Subscription(Subscription),
    Configuration(Configuration),
    Resiliency(Resiliency),
    HttpEndpoint(HttpEndpoint),
}

/// Who a document is, even if the rest of it is wrong: duplicates and references are checked against it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub kind: &'static str,
    pub namespace: Namespace,
    pub name: String,
}

/// Whether the document claims to be ours, rightly or nearly.
pub(crate) fn is_ours(root: &Node) -> bool {
    let entries = root.map().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry.key == "apiVersion" || nearest(&entry.key, ["apiVersion"]).is_some())
        .filter_map(|entry| entry.value.scalar())
        .any(|scalar| ownership(&scalar.text) != Ownership::Foreign)
}

/// Reads a document that is ours. The identity comes back even if the resource does not.
pub(crate) fn read(root: &Node, reading: &mut Reading<'_>) -> (Option<Identity>, Option<Resource>) {
    let mut fields = Fields::root(root);
    let Some((kind, head)) = head(root, &mut fields, reading) else {
        fields.finish_missing(reading);
        return (None, None);
    };
    let (namespace, name) = (head.namespace.clone(), head.name.clone());
    let identity = Identity {
        kind: kind.name,
        namespace,
        name,
    };
    let resource = body(kind, head, fields, reading);
    (Some(identity), resource.filter(|_| !reading.has_errors()))
}

fn head(
    root: &Node,
    fields: &mut Fields<'_>,
    reading: &mut Reading<'_>,
) -> Option<(&'static Kind, Head)> {
    let version = api_version(fields, reading)?;
    let kind = kind(fields, &version, reading)?;
    let (name, namespace) = metadata(fields, reading)?;
    let origin = reading.origin(root.place);
    Some((
        kind,
        Head {
            version,
            name,
            namespace,
            origin,
        },
    ))
}

fn body(
    kind: &Kind,
    head: Head,
    mut fields: Fields<'_>,
    reading: &mut Reading<'_>,
) -> Option<Resource> {
    // What a cluster writes into exported documents.
    fields.ignore(&["status"]);
    let resource = match kind.name {
        "App" => App::read(head, &mut fields, reading).map(Resource::App),
        "Component" => Component::read(head, &mut fields, reading).map(Resource::Component),
        "Subscription" => {
            Subscription::read(head, &mut fields, reading).map(Resource::Subscription)
        }
        "Configuration" => {
            Configuration::read(head, &mut fields, reading).map(Resource::Configuration)
        }
        "HTTPEndpoint" => {
            HttpEndpoint::read(head, &mut fields, reading).map(Resource::HttpEndpoint)
        }
        "Resiliency" => Resiliency::read(head, &mut fields, reading).map(Resource::Resiliency),
        other => {
            let message = format!("{} {} is not served yet", other, quote(&head.name));
            reading.warning(fields.key_place("kind"), message);
            fields.ignore(&["spec", "auth", "scopes"]);
            None
        }
    };
    fields.finish(reading);
    resource
}

/// The version behind the slash, if the group is right.
fn api_version(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let Some(field) = fields.nullable("apiVersion") else {
        // The document is ours by a key that is nearly this one.
        let misspelt = fields
            .unknown()
            .find(|entry| nearest(&entry.key, ["apiVersion"]).is_some());
        let (place, key) = misspelt.map_or((fields.place(), ""), |entry| (entry.place, &entry.key));
        reading.error(
            place,
            format!("unknown field {} (did you mean `apiVersion`?)", quote(key)),
        );
        return None;
    };
    let text = field.text(reading)?;
    let (group, version) = text.split_once('/').unwrap_or((text, ""));
    match ownership(text) {
        Ownership::Ours if !version.is_empty() => return Some(version.to_owned()),
        Ownership::Ours => field.refuse(
            reading,
            format!("expected `{group}/v1alpha1`, found {}", quote(text)),
        ),
        Ownership::NearMiss(meant) => {
            let version = if version.is_empty() {
                "v1alpha1"
            } else {
                version
            };
            field.refuse(
                reading,
                format!(
                    "unknown group {} (did you mean `{meant}/{version}`?)",
                    quote(group)
                ),
            );
        }
        // Reached when a second, misspelt key made the document ours.
        Ownership::Foreign => field.refuse(reading, format!("unknown group {}", quote(group))),
    }
    None
}

fn kind(
    fields: &mut Fields<'_>,
    version: &str,
    reading: &mut Reading<'_>,
) -> Option<&'static Kind> {
    let group_place = fields.key_place("apiVersion");
    let group = group_of(fields);
    let field = fields.required("kind", "a kind such as `Component`", reading)?;
    let text = field.text(reading)?;
    let Some(kind) = KINDS.iter().find(|kind| kind.name == text) else {
        let meant = did_you_mean(text, KINDS.iter().map(|kind| kind.name));
        let known: Vec<String> = KINDS
            .iter()
            .map(|kind| format!("`{}`", kind.name))
            .collect();
        let hint = format!("known kinds: {}", known.join(", "));
        reading.error_with_hint(
            field.place(),
            format!("unknown kind {}{meant}", quote(text)),
            hint,
        );
        return None;
    };
    let wanted = kind
        .versions
        .iter()
        .map(|version| format!("`{}/{version}`", kind.group));
    let wanted: Vec<String> = wanted.collect();
    if group != kind.group || !kind.versions.contains(&version) {
        let found = quote(&format!("{group}/{version}"));
        let message = format!(
            "kind `{text}` has apiVersion {}, found {found}",
            list(&wanted)
        );
        reading.error(value_place(fields, group_place), message);
        return None;
    }
    Some(kind)
}

fn group_of(fields: &mut Fields<'_>) -> String {
    let field = fields.nullable("apiVersion");
    let text = field.and_then(|field| field.node.scalar().map(|scalar| scalar.text.as_str()));
    text.and_then(|text| text.split('/').next())
        .unwrap_or_default()
        .to_owned()
}

fn value_place(fields: &mut Fields<'_>, otherwise: Place) -> Place {
    fields
        .nullable("apiVersion")
        .map_or(otherwise, |field| field.place())
}

/// What a cluster writes into `metadata`, and what people annotate.
const CLUSTER_METADATA: [&str; 13] = [
    "labels",
    "annotations",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "generateName",
    "selfLink",
];

fn metadata(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<(String, Namespace)> {
    let field = fields.required("metadata", "a map with a `name`", reading)?;
    let mut metadata = field.fields(reading)?;
    let name = metadata.required("name", "the name of the resource", reading);
    let name = name.and_then(|field| resource_name(&field, reading));
    let namespace = match metadata.optional("namespace", reading) {
        Some(field) => namespace(&field, reading),
        None => Some(reading.options.namespace.clone()),
    };
    metadata.ignore(&CLUSTER_METADATA);
    metadata.finish(reading);
    Some((name?, namespace?))
}

fn namespace(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Namespace> {
    let parsed = field.text(reading)?.parse();
    parsed
        .map_err(|error: crate::InvalidName| field.refuse(reading, error.to_string()))
        .ok()
}

/// Names stand in URLs, key prefixes and file names.
fn resource_name(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    const LONGEST: usize = 253;
    let text = field.text(reading)?;
    let usable = |c: char| !c.is_whitespace() && !matches!(c, '/' | '\\' | '|' | '?' | '#' | '%');
    if text.len() > LONGEST || !text.chars().all(usable) || text.starts_with('.') {
        let expected = "expected a name of at most 253 characters without spaces, `/`, `\\`, `|`, `?`, `#` or `%`";
        field.refuse(reading, format!("{expected}, found {}", quote(text)));
        return None;
    }
    Some(text.to_owned())
}

/// `scopes`: the apps that a document is for.
pub(crate) fn scopes(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Vec<AppId> {
    let Some(field) = fields.optional("scopes", reading) else {
        return Vec::new();
    };
    let items = field.items(reading);
    let mut scopes = Vec::new();
    for item in items {
        let Some(app) = item.app_id(reading) else {
            continue;
        };
        reading.refer("App", app.as_str(), item.place());
        scopes.push(app);
    }
    scopes
}
