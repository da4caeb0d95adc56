//! `kind: Configuration` (dapr.io/v1alpha1): what applies to an app beyond its manifest.

use crate::{
    AccessControl, MutualTls, NameResolution, Namespace, Origin, Tracing, WorkflowSettings,
    document::Head, fields::Fields, node::quote, reader::Reading, value::Field,
};

/// A configuration that an App names.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// `metadata.name`.
    pub name: String,
    /// The tenant.
    pub namespace: Namespace,
    /// `spec.secrets.scopes`.
    pub secret_scopes: Vec<SecretScope>,
    /// `spec.tracing`.
    pub tracing: Option<Tracing>,
    /// `spec.accessControl`: absent, or empty, everybody of the namespace may call.
    pub access_control: Option<AccessControl>,
    /// `spec.nameResolution`: absent, apps of other hosts are found through `sqlite`.
    pub name_resolution: Option<NameResolution>,
    /// `spec.mtls`.
    pub mtls: Option<MutualTls>,
    /// `spec.workflow`.
    pub workflow: Option<WorkflowSettings>,
    /// Given by `--config`: applies to every app of the namespace that names no configuration.
    pub by_default: bool,
    /// Where the document stands.
    pub origin: Origin,
}

/// Which secrets of one store an app may read. Order of the rules: a non-empty allow list decides alone, else the deny
/// list, else the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretScope {
    /// `storeName`.
    pub store: String,
    /// `defaultAccess`.
    pub default_access: DefaultAccess,
    /// `allowedSecrets`.
    pub allowed: Vec<String>,
    /// `deniedSecrets`.
    pub denied: Vec<String>,
}

/// What holds for a secret that no list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultAccess {
    /// Readable.
    #[default]
    Allow,
    /// Not readable.
    Deny,
}

/// What Dapr knows in `spec` and this version does not apply.
const NOT_APPLIED: [&str; 10] = [
    "api",
    "appHttpPipeline",
    "components",
    "features",
    "httpPipeline",
    "logging",
    "metric",
    "metrics",
    "wasm",
    "workflows",
];

impl Configuration {
    pub(crate) fn read(
        head: Head,
        document: &mut Fields<'_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let mut secret_scopes = Vec::new();
        let mut tracing = None;
        let mut access_control = None;
        let mut name_resolution = None;
        let mut mtls = None;
        let mut workflow = None;
        if let Some(mut spec) = document.child("spec", reading) {
            if let Some(mut secrets) = spec.child("secrets", reading) {
                secret_scopes = read_secret_scopes(&mut secrets, reading);
                secrets.finish(reading);
            }
            tracing = spec
                .child("tracing", reading)
                .map(|fields| Tracing::read(fields, reading));
            access_control = spec
                .child("accessControl", reading)
                .and_then(|fields| AccessControl::read(fields, reading));
            name_resolution = spec
                .child("nameResolution", reading)
                .and_then(|fields| NameResolution::read(fields, &head.namespace, reading));
            mtls = spec
                .child("mtls", reading)
                .map(|fields| MutualTls::read(fields, reading));
            workflow = spec
                .child("workflow", reading)
                .map(|fields| WorkflowSettings::read(fields, reading));
            spec.not_applied(&NOT_APPLIED, reading);
            spec.finish(reading);
        }
        Some(Self {
            name: head.name,
            namespace: head.namespace,
            secret_scopes,
            tracing,
            access_control,
            name_resolution,
            mtls,
            workflow,
            by_default: false,
            origin: head.origin,
        })
    }
}

fn read_secret_scopes(secrets: &mut Fields<'_>, reading: &mut Reading<'_>) -> Vec<SecretScope> {
    let Some(list) = secrets.optional("scopes", reading) else {
        return Vec::new();
    };
    let mut scopes: Vec<SecretScope> = Vec::new();
    for item in list.items(reading) {
        let Some(scope) = read_secret_scope(item.clone(), reading) else {
            continue;
        };
        if scopes.iter().any(|other| other.store == scope.store) {
            item.refuse(
                reading,
                format!("the store {} has two entries", quote(&scope.store)),
            );
        } else {
            scopes.push(scope);
        }
    }
    scopes
}

fn read_secret_scope(field: Field<'_>, reading: &mut Reading<'_>) -> Option<SecretScope> {
    let mut fields = field.fields(reading)?;
    let store = fields.required("storeName", "the name of a secret store", reading);
    let store = store.and_then(|field| field.text(reading));
    let choices = [
        ("allow", DefaultAccess::Allow),
        ("deny", DefaultAccess::Deny),
    ];
    let access = fields.optional("defaultAccess", reading);
    let access = access.and_then(|field| field.choice(&choices, reading));
    let allowed = texts(fields.optional("allowedSecrets", reading), reading);
    let denied = texts(fields.optional("deniedSecrets", reading), reading);
    fields.finish(reading);
    Some(SecretScope {
        store: store?.to_owned(),
        default_access: access.unwrap_or_default(),
        allowed,
        denied,
    })
}

fn texts(field: Option<Field<'_>>, reading: &mut Reading<'_>) -> Vec<String> {
    let items = field.map(|field| field.items(reading)).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.text(reading).map(str::to_owned))
        .collect()
}
