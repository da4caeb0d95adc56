//! `kind: App` (berth.dev/v1alpha1): a guest and what it may do.

mod allow;
mod http;
mod limits;

pub use allow::InvalidRule;

use crate::{
    AppId, ByteSize, Namespace, Origin, document::Head, fields::Fields, node::quote,
    reader::Reading, suggest::did_you_mean, value::Field,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// An app: the unit of deployment and identity.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// `metadata.name`.
    pub id: AppId,
    /// The tenant.
    pub namespace: Namespace,
    /// Absolute path of the guest, a component in a `.wasm` file.
    pub guest: PathBuf,
    /// Where `spec.guest` stands: the place of errors about the guest itself.
    pub guest_origin: Origin,
    /// How the ingress reaches it; absent: not exposed, or everywhere if it is the only app of the host.
    pub http: Option<HttpExposure>,
    /// What one call and the whole app may use.
    pub limits: Limits,
    /// How instances are used.
    pub instances: Instances,
    /// WASI grants.
    pub allow: Allow,
    /// Name of the Configuration document that applies.
    pub configuration: Option<String>,
    /// Where the document stands.
    pub origin: Origin,
}

/// What the ingress matches. An app with neither path nor host is reachable at every path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpExposure {
    /// Path prefixes, each beginning with `/` and matched on whole segments.
    pub paths: Vec<String>,
    /// Host name, lower case, without port.
    pub host: Option<String>,
}

/// Limits of an app. Every one has a default; none can be switched off.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Linear memory, summed over the memories of one instance: 64 KiB to 4 GiB.
    pub memory: ByteSize,
    /// CPU time of one call: 1 ms to 1 h.
    pub cpu_time: Duration,
    /// Wall time of one call, from admission to the end of the response body: 1 ms to 24 h.
    pub timeout: Duration,
    /// Calls at the same time: 1 to 100,000.
    pub concurrency: u32,
    /// Calls that may wait for admission beyond that: 0 (none waits) to 1,000,000.
    pub queue: u32,
    /// Largest request body: up to 64 GiB.
    pub request_body: ByteSize,
    /// Largest response body: up to 64 GiB.
    pub response_body: ByteSize,
    /// Log output per second, up to 64 MiB; the burst is ten times this.
    pub log_rate: ByteSize,
    /// Elements of a table, summed over the tables of one instance: 1 to 10,000,000.
    pub table_elements: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(64),
            cpu_time: Duration::from_millis(500),
            timeout: Duration::from_secs(5),
            concurrency: 64,
            queue: 256,
            // Dapr's own limit is 4 MiB for what it buffers; berth streams bodies.
            request_body: ByteSize::mib(16),
            response_body: ByteSize::mib(64),
            log_rate: ByteSize::kib(64),
            table_elements: 100_000,
        }
    }
}

/// How instances are used. The default is a fresh instance for every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instances {
    /// Calls that one instance serves before it is discarded: 1 to 1,000,000,000.
    pub reuse: u32,
    /// Calls that one instance should serve at the same time: 1 to 10,000. Read, and warned of above 1.
    pub concurrent: u32,
}

impl Default for Instances {
    fn default() -> Self {
        Self {
            reuse: 1,
            concurrent: 1,
        }
    }
}

/// What WASI may reach. Empty: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allow {
    /// Destinations of outgoing HTTP besides apps.
    pub outbound: Vec<OutboundRule>,
    /// Directories of the host that the guest sees.
    pub files: Vec<FileGrant>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
}

/// One destination: `https://api.stripe.com`, `http://*.example.com:8080`, `http://127.0.0.1:9000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundRule {
    /// `http`, `https`, or either if absent (`*`).
    pub scheme: Option<Scheme>,
    /// Host name, `*.suffix`, `*`, or an IP address, lower case.
    pub host: String,
    /// Port; absent: the scheme's own.
    pub port: Option<u16>,
}

/// Scheme of an outgoing request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// A directory of the host under a path of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGrant {
    /// Absolute directory of the host.
    pub host: PathBuf,
    /// Path that the guest sees.
    pub guest: String,
    /// What it may do there.
    pub access: Access,
}

/// What a guest may do with granted files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Read only.
    #[default]
    Read,
    /// Read and write.
    Write,
}

impl App {
    pub(crate) fn read(
        head: Head,
        document: &mut Fields<'_>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let id = head.name.parse::<AppId>();
        if let Err(error) = &id {
            reading.error(name_place(document), format!("`metadata.name`: {error}"));
        }
        let spec = document.required("spec", "a map with a `guest`", reading)?;
        let mut spec = spec.fields(reading)?;
        let guest = spec.required("guest", "the path of a `.wasm` file", reading);
        let guest_origin = reading.origin(guest.as_ref().map_or(spec.place(), Field::place));
        let guest = guest.and_then(|field| guest_path(&field, reading));
        let http = spec
            .child("http", reading)
            .map(|fields| HttpExposure::read(fields, reading));
        let limits = spec
            .child("limits", reading)
            .map(|fields| Limits::read(fields, reading));
        let instances = spec
            .child("instances", reading)
            .map(|fields| Instances::read(fields, reading));
        let allow = spec
            .child("allow", reading)
            .map(|fields| Allow::read(fields, reading));
        let configuration = spec.optional("configuration", reading);
        let configuration = configuration.and_then(|field| read_configuration(&field, reading));
        spec.finish(reading);
        Some(Self {
            id: id.ok()?,
            namespace: head.namespace,
            guest: guest?,
            guest_origin,
            http,
            limits: limits.unwrap_or_default(),
            instances: instances.unwrap_or_default(),
            allow: allow.unwrap_or_default(),
            configuration,
            origin: head.origin,
        })
    }
}

fn read_configuration(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let name = field.text(reading)?;
    reading.refer("Configuration", name, field.place());
    Some(name.to_owned())
}

fn name_place(document: &mut Fields<'_>) -> crate::node::Place {
    let metadata = document.nullable("metadata");
    let name = metadata.as_ref().and_then(|field| field.node.get("name"));
    name.map_or(document.place(), |name| name.place)
}

/// The guest's absolute path; that no file is there is an error with the nearest name of its folder.
pub(crate) fn guest_path(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<PathBuf> {
    let text = field.text(reading)?;
    if text.contains("://") {
        field.refuse(
            reading,
            format!(
                "expected the path of a file, found the address {}",
                quote(text)
            ),
        );
        return None;
    }
    let path = absolute(reading, text);
    if path.is_file() {
        return Some(path);
    }
    let shown = path.display();
    let message = match path.parent() {
        _ if path.is_dir() => format!("expected a file, `{shown}` is a folder"),
        Some(folder) if !folder.is_dir() => {
            format!(
                "no file `{shown}`: the folder `{}` does not exist",
                folder.display()
            )
        }
        folder => format!("no file `{shown}`{}", nearest_file(folder, &path)),
    };
    field.refuse(reading, message);
    None
}

/// ` (did you mean ...?)` with a file of the folder.
pub(crate) fn nearest_file(folder: Option<&Path>, path: &Path) -> String {
    let entries = folder
        .and_then(|folder| folder.read_dir().ok())
        .into_iter()
        .flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.take(1_000).collect();
    names.sort();
    let given = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    did_you_mean(&given, names.iter().map(String::as_str))
}

/// A path relative to the document's folder, made absolute without `.` and inner `..`.
fn absolute(reading: &Reading<'_>, path: &str) -> PathBuf {
    use std::path::Component::{CurDir, ParentDir};
    let mut absolute = PathBuf::new();
    for part in reading.folder.join(path).components() {
        match part {
            CurDir => {}
            // Behind a symbolic link `..` is another folder than the one before it.
            ParentDir if !absolute.is_symlink() => {
                absolute.pop();
            }
            part => absolute.push(part),
        }
    }
    absolute
}
