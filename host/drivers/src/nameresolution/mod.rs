//! Name resolution: a file per `spec.nameResolution.component` of a Configuration.
//!
//! Settings are metadata structs as in any driver, so that mistakes are found with their place before anything is
//! opened. A registry that is down is no reason not to start: drivers connect at the first question.

#[cfg(test)]
#[cfg(any(feature = "nameresolution-redis", feature = "nameresolution-sqlite"))]
mod acts;
#[cfg(feature = "nameresolution-dns")]
mod dns;
mod fixed;
#[cfg(feature = "nameresolution-redis")]
mod redis;
#[cfg(feature = "nameresolution-sqlite")]
mod sqlite;

use berth_blocks::{
    registry::{
        Connections, Metadata, OpenContext, OpenError,
        metadata::{self, EntryName},
    },
    resolution::Resolver,
};
use berth_resources::{
    Diagnostic, MetadataItem, MetadataValue, NameResolution, Namespace, ResolverKind, Secret,
    Severity, StaticApp, did_you_mean,
};
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use std::{path::PathBuf, sync::Arc};

/// What resolvers need besides their settings.
#[derive(Debug, Clone)]
pub struct ResolverContext {
    /// A folder of the user, the same for all hosts on this machine: `sqlite` keeps its file there. Must exist.
    pub user_dir: PathBuf,
    /// Connections that are shared with backends.
    pub connections: Connections,
}

/// A secret by its name and key.
pub type Secrets<'s> = dyn Fn(&str, &str) -> Option<Secret> + Sync + 's;

type Opening = BoxFuture<'static, Result<Arc<dyn Resolver>, OpenError>>;

/// One driver.
struct Entry {
    kind: ResolverKind,
    names: fn() -> Vec<EntryName>,
    check: fn(&Metadata) -> Result<(), OpenError>,
    open: fn(OpenContext, Metadata, Vec<StaticApp>) -> Opening,
}

/// The entry of a driver whose settings are the struct `M`.
macro_rules! entry {
    ($kind:ident, $settings:ty, $open:expr) => {
        Entry {
            kind: ResolverKind::$kind,
            names: metadata::names::<$settings>,
            check: |metadata| check::<$settings>(metadata),
            open: |context, metadata, apps| {
                Box::pin(async move {
                    let settings = metadata::parse::<$settings>(&metadata)?;
                    let resolver: Arc<dyn Resolver> = Arc::new(($open)(context, settings, apps)?);
                    Ok(resolver)
                })
            },
        }
    };
}

fn entries() -> Vec<Entry> {
    vec![
        entry!(Static, fixed::Settings, fixed::open),
        #[cfg(feature = "nameresolution-dns")]
        entry!(Dns, dns::Settings, dns::open),
        #[cfg(feature = "nameresolution-sqlite")]
        entry!(Sqlite, sqlite::Settings, sqlite::open),
        #[cfg(feature = "nameresolution-redis")]
        entry!(Redis, redis::Settings, redis::open),
    ]
}

fn check<M: DeserializeOwned>(metadata: &Metadata) -> Result<(), OpenError> {
    metadata::parse::<M>(metadata).map(drop)
}

/// Everything that is wrong with the settings, without opening anything. What stands in secrets is not looked at.
#[must_use]
pub fn check_resolver(document: &NameResolution) -> Vec<Diagnostic> {
    match find(document) {
        Ok(entry) => {
            let secrets = |_: &str, _: &str| Some(Secret::new("secret".to_owned()));
            match values(&entry, document, &secrets) {
                Ok(metadata) => (entry.check)(&metadata)
                    .err()
                    .map(|error| placed(document, error))
                    .into_iter()
                    .collect(),
                Err(findings) => findings,
            }
        }
        Err(finding) => vec![finding],
    }
}

/// Opens the resolver of a document, or the default: `sqlite`.
///
/// # Errors
/// What is wrong with its settings. A registry that does not answer is not found out here.
pub async fn open_resolver(
    document: Option<&NameResolution>,
    context: &ResolverContext,
    secrets: &Secrets<'_>,
) -> Result<Arc<dyn Resolver>, Vec<Diagnostic>> {
    let default = default_document();
    let document = document.unwrap_or(&default);
    let entry = find(document).map_err(|finding| vec![finding])?;
    let metadata = values(&entry, document, secrets)?;
    let context = OpenContext {
        name: "nameresolution".to_owned(),
        namespace: Namespace::default(),
        data_dir: context.user_dir.clone(),
        apps: Vec::new(),
        connections: context.connections.clone(),
    };
    (entry.open)(context, metadata, document.apps.clone())
        .await
        .map_err(|error| vec![placed(document, error)])
}

fn default_document() -> NameResolution {
    NameResolution {
        component: ResolverKind::Sqlite,
        version: "v1".to_owned(),
        settings: Vec::new(),
        apps: Vec::new(),
        origin: berth_resources::Origin::defaults(),
    }
}

fn find(document: &NameResolution) -> Result<Entry, Diagnostic> {
    let mut entries = entries().into_iter();
    let found = entries.find(|entry| entry.kind == document.component);
    found.ok_or_else(|| Diagnostic {
        origin: document.origin.clone(),
        severity: Severity::Error,
        message: format!(
            "this build has no name resolution `{}`",
            document.component.name()
        ),
        hint: None,
    })
}

/// The settings in the driver's spelling.
fn values(
    entry: &Entry,
    document: &NameResolution,
    secrets: &Secrets<'_>,
) -> Result<Metadata, Vec<Diagnostic>> {
    let names: Vec<String> = (entry.names)()
        .into_iter()
        .flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases))
        .collect();
    let mut values = Metadata::new();
    let mut findings = Vec::new();
    for item in &document.settings {
        let known = names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(&item.name));
        match (known, text(item, secrets)) {
            (Some(name), Ok(text)) => {
                values.insert(name.clone(), text.into());
            }
            (Some(_), Err(message)) => findings.push(error(item, message)),
            (None, _) => {
                let meant = did_you_mean(&item.name, names.iter().map(String::as_str));
                let kind = document.component.name();
                findings.push(error(
                    item,
                    format!(
                        "unknown setting `{}` of name resolution `{kind}`{meant}",
                        item.name
                    ),
                ));
            }
        }
    }
    if findings.is_empty() {
        Ok(values)
    } else {
        Err(findings)
    }
}

fn text(item: &MetadataItem, secrets: &Secrets<'_>) -> Result<String, String> {
    match &item.value {
        MetadataValue::Plain(text) => Ok(text.clone()),
        MetadataValue::Env(secret) => Ok(secret.reveal().to_owned()),
        MetadataValue::SecretRef { name, key } => secrets(name, key)
            .map(|secret| secret.reveal().to_owned())
            .ok_or_else(|| format!("no secret `{name}` with a field `{key}`")),
    }
}

fn error(item: &MetadataItem, message: String) -> Diagnostic {
    Diagnostic {
        origin: item.origin.clone(),
        severity: Severity::Error,
        message,
        hint: None,
    }
}

/// An error of a driver at the place of the setting that it is about.
fn placed(document: &NameResolution, error: OpenError) -> Diagnostic {
    let field = match &error {
        OpenError::Metadata { field, .. } => Some(field),
        OpenError::Backend(_) => None,
    };
    let item = field.and_then(|field| {
        let mut settings = document.settings.iter();
        settings.find(|item| item.name.eq_ignore_ascii_case(field))
    });
    let message = match &error {
        OpenError::Metadata { field, message } => format!("setting `{field}`: {message}"),
        OpenError::Backend(message) => message.clone(),
    };
    Diagnostic {
        origin: item.map_or_else(|| document.origin.clone(), |item| item.origin.clone()),
        severity: Severity::Error,
        message: format!("name resolution `{}`: {message}", document.component.name()),
        hint: None,
    }
}

#[cfg(test)]
mod tests;
