//! `spec.nameResolution` of a Configuration: how apps of other hosts are found.

use crate::{
    AppId, MetadataItem, MetadataValue, Namespace, Origin, component::read_secret_ref,
    fields::Fields, node::quote, reader::Reading, value::Field,
};
use std::net::SocketAddr;

/// How apps of other hosts are found.
#[derive(Debug, Clone, PartialEq)]
pub struct NameResolution {
    /// `component`.
    pub component: ResolverKind,
    /// `version`, `v1` if absent.
    pub version: String,
    /// `configuration` but for `apps`, in the order of the document: the driver's own settings.
    pub settings: Vec<MetadataItem>,
    /// `configuration.apps` of `static`.
    pub apps: Vec<StaticApp>,
    /// Where the field stands.
    pub origin: Origin,
}

/// The drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolverKind {
    /// Addresses in the document.
    Static,
    /// Names of a DNS zone, Kubernetes' headless services among them.
    Dns,
    /// A file that the hosts of one user share.
    Sqlite,
    /// A Redis that the hosts of a fleet share.
    Redis,
}

impl ResolverKind {
    /// As documents write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dns => "dns",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
        }
    }
}

/// An app whose hosts stand in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticApp {
    /// The tenant.
    pub namespace: Namespace,
    /// The app ID.
    pub app: AppId,
    /// Where its hosts listen.
    pub hosts: Vec<SocketAddr>,
}

/// What Dapr has and berth does not; a document that names one goes on with the default.
const NOT_SERVED: [&str; 6] = [
    "aws.cloudmap",
    "consul",
    "kubernetes",
    "mdns",
    "nameformat",
    "structuredformat",
];

impl NameResolution {
    /// Reads the field; `namespace` is that of apps which name none.
    pub(crate) fn read(
        mut fields: Fields<'_>,
        namespace: &Namespace,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let origin = reading.origin(fields.place());
        let component =
            fields.required("component", "`sqlite`, `redis`, `dns` or `static`", reading);
        let is_foreign = component.as_ref().is_some_and(is_not_served);
        if is_foreign {
            fields.ignore(&["version", "configuration"]);
            let message =
                "this component is not served: apps are found through `sqlite`, the default";
            reading.warning(fields.key_place("component"), message);
            fields.finish(reading);
            return None;
        }
        let component = component.and_then(|field| read_component(&field, reading));
        let version = fields.optional("version", reading);
        let version = version.and_then(|field| field.choice(&[("v1", "v1")], reading));
        let configuration = fields.optional("configuration", reading);
        let is_static = component == Some(ResolverKind::Static);
        let (settings, apps) = configuration
            .map(|field| read_configuration(&field, is_static, namespace, reading))
            .unwrap_or_default();
        if is_static && apps.is_empty() && !reading.has_errors() {
            let message =
                "`static` needs `configuration.apps`, a map from app IDs to lists of addresses";
            reading.error(fields.place(), message);
        }
        fields.finish(reading);
        Some(Self {
            component: component?,
            version: version.unwrap_or("v1").to_owned(),
            settings,
            apps,
            origin,
        })
    }
}

fn is_not_served(field: &Field<'_>) -> bool {
    let text = field.node.scalar().map(|scalar| scalar.text.as_str());
    text.is_some_and(|text| {
        NOT_SERVED
            .iter()
            .any(|name| name.eq_ignore_ascii_case(text))
    })
}

fn read_component(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<ResolverKind> {
    let kinds = [
        ResolverKind::Static,
        ResolverKind::Dns,
        ResolverKind::Sqlite,
        ResolverKind::Redis,
    ];
    field.choice(&kinds.map(|kind| (kind.name(), kind)), reading)
}

fn read_configuration(
    field: &Field<'_>,
    is_static: bool,
    namespace: &Namespace,
    reading: &mut Reading<'_>,
) -> (Vec<MetadataItem>, Vec<StaticApp>) {
    let mut settings: Vec<MetadataItem> = Vec::new();
    let mut apps = Vec::new();
    for (name, place, value) in field.entries(reading) {
        if is_static && name == "apps" {
            apps = read_apps(&value, namespace, reading);
            continue;
        }
        let origin = reading.origin(place);
        let is_twice = settings
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(name));
        if is_twice {
            value.refuse(reading, format!("{} is given twice", quote(name)));
        } else if let Some(value) = read_setting(value, reading) {
            settings.push(MetadataItem {
                name: name.to_owned(),
                value,
                origin,
            });
        }
    }
    (settings, apps)
}

/// A scalar, a list of scalars, which is the same as a text with commas, or a reference to a secret.
fn read_setting(field: Field<'_>, reading: &mut Reading<'_>) -> Option<MetadataValue> {
    if field.node.map().is_some() {
        let mut fields = field.fields(reading)?;
        let reference = fields.required("secretKeyRef", "a reference to a secret", reading);
        let reference = reference.and_then(|field| read_secret_ref(field, reading));
        fields.finish(reading);
        return reference;
    }
    if field.node.scalar().is_some() {
        return Some(MetadataValue::Plain(field.any_text(reading)?.to_owned()));
    }
    let items = field.items(reading);
    let texts: Option<Vec<&str>> = items.iter().map(|item| item.any_text(reading)).collect();
    Some(MetadataValue::Plain(texts?.join(",")))
}

fn read_apps(
    field: &Field<'_>,
    namespace: &Namespace,
    reading: &mut Reading<'_>,
) -> Vec<StaticApp> {
    let mut apps = Vec::new();
    for (name, place, value) in field.entries(reading) {
        let hosts = read_hosts(&value, reading);
        let (app, within) = name.split_once('.').unwrap_or((name, namespace.as_str()));
        match (app.parse(), within.parse()) {
            (Ok(app), Ok(namespace)) => apps.push(StaticApp {
                namespace,
                app,
                hosts,
            }),
            (Err(error), _) | (_, Err(error)) => reading.error(place, error.to_string()),
        }
    }
    apps
}

fn read_hosts(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<SocketAddr> {
    let items = field.items(reading);
    if items.is_empty() && field.node.scalar().is_none() && field.node.map().is_none() {
        field.refuse(
            reading,
            "expected at least one address, found an empty list",
        );
    }
    let mut hosts = Vec::new();
    for item in items {
        let Some(text) = item.text(reading) else {
            continue;
        };
        match text.parse() {
            Ok(address) => hosts.push(address),
            Err(_) => {
                let expected =
                    "expected an IP address and a port such as `10.0.0.1:3501` or `[::1]:3501`";
                item.refuse(reading, format!("{expected}, found {}", quote(text)));
            }
        }
    }
    hosts
}
