//! One document: is it ours, of which kind, under which name.

use crate::{
    App, AppId, Component, Configuration, HttpEndpoint, Namespace, Origin, Resiliency,
    Subscription,
    node::{Node, Place, quote},
    reader::{Field, Fields, Reading},
    suggest::{did_you_mean, nearest},
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

/// A kind and who defines it.
struct Kind {
    name: &'static str,
    group: &'static str,
    versions: &'static [&'static str],
}

const DAPR: &str = "dapr.io";
const BERTH: &str = "berth.dev";
const KINDS: [Kind; 8] = [
    Kind {
        name: "App",
        group: BERTH,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Component",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Configuration",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "HTTPEndpoint",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "MCPServer",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Resiliency",
        group: DAPR,
        versions: &["v1alpha1"],
    },
    Kind {
        name: "Subscription",
        group: DAPR,
        versions: &["v1alpha1", "v2alpha1"],
    },
    Kind {
        name: "WorkflowAccessPolicy",
        group: DAPR,
        versions: &["v1alpha1"],
    },
];

/// Whether an apiVersion belongs to berth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    Ours,
    /// Probably meant to be this group.
    NearMiss(&'static str),
    Foreign,
}

/// Judges the text of an apiVersion.
pub(crate) fn ownership(api_version: &str) -> Ownership {
    let group = api_version.split('/').next().unwrap_or_default();
    let lower = group.to_ascii_lowercase();
    let near = |known: &str| {
        let label = known.split('.').next().unwrap_or_default();
        lower.split('.').next() == Some(label) || strsim::damerau_levenshtein(&lower, known) <= 2
    };
    match group {
        DAPR | BERTH => Ownership::Ours,
        // A longer name than any slip makes is another project's.
        _ if lower.len() > BERTH.len() + 4 => Ownership::Foreign,
        _ if near(DAPR) => Ownership::NearMiss(DAPR),
        _ if near(BERTH) => Ownership::NearMiss(BERTH),
        _ => Ownership::Foreign,
    }
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
    let Some(version) = api_version(&mut fields, reading) else {
        return (None, None);
    };
    let Some(kind) = kind(&mut fields, &version, reading) else {
        return (None, None);
    };
    let Some((name, namespace)) = metadata(&mut fields, reading) else {
        return (None, None);
    };
    let identity = Identity {
        kind: kind.name,
        namespace: namespace.clone(),
        name: name.clone(),
    };
    let origin = reading.origin(root.place);
    let head = Head {
        version,
        name,
        namespace,
        origin,
    };
    let resource = body(kind, head, fields, reading);
    (Some(identity), resource.filter(|_| !reading.has_errors()))
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
        "Resiliency" => Resiliency::read(head, &mut fields, reading).map(Resource::Resiliency),
        other => {
            let message = format!("{} {} is not served yet", other, quote(&head.name));
            reading.warning(fields.key_place("kind"), message);
            fields.ignore(&["spec", "auth", "scopes"]);
            let Head {
                name,
                namespace,
                origin,
                ..
            } = head;
            (other == "HTTPEndpoint").then_some(Resource::HttpEndpoint(HttpEndpoint {
                name,
                namespace,
                origin,
            }))
        }
    };
    fields.finish(reading);
    resource
}

/// The version behind the slash, if the group is right.
fn api_version(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let Some(field) = fields.nullable("apiVersion") else {
        // The document is ours by a misspelt key, which is reported as such.
        let place = fields.place();
        reading.error(place, "`apiVersion` is missing, found a similar field: expected `apiVersion` in exactly this spelling");
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

fn kind<'k>(fields: &mut Fields<'_>, version: &str, reading: &mut Reading<'_>) -> Option<&'k Kind> {
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
            "a {text} has apiVersion {}, found {found}",
            wanted.join(" or ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_of_the_groups_are_noticed_and_others_left_alone() {
        assert_eq!(ownership("dapr.io/v1alpha1"), Ownership::Ours);
        assert_eq!(ownership("berth.dev/v1alpha1"), Ownership::Ours);
        for text in [
            "dapr/v1alpha1",
            "darp.io/v1alpha1",
            "Dapr.io/v1",
            "dapr.com/v1",
            "dapr.dev/v1alpha1",
        ] {
            assert_eq!(ownership(text), Ownership::NearMiss(DAPR), "{text}");
        }
        for text in ["berth.io/v1alpha1", "birth.dev/v1alpha1", "berth/v1"] {
            assert_eq!(ownership(text), Ownership::NearMiss(BERTH), "{text}");
        }
        for text in [
            "v1",
            "apps/v1",
            "operator.dapr.io/v1alpha1",
            "keda.sh/v1",
            "",
            "argoproj.io/v1",
        ] {
            assert_eq!(ownership(text), Ownership::Foreign, "{text}");
        }
    }
}
