//! What was loaded, and from where.

use crate::{
    App, AppId, Component, Configuration, Diagnostic, HttpEndpoint, Namespace, Resiliency,
    Severity, Subscription,
};
use std::path::PathBuf;

/// Where documents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder: every document below it whose apiVersion is `dapr.io/*` or `berth.dev/*`. Folders whose name begins
    /// with a dot, `target` and `node_modules` are skipped, other YAML is left alone. Or a single file.
    Dir(PathBuf),
    /// `--resources-path`: a folder, one level deep, or a single file. Its documents replace those of a `Dir` that have
    /// the same kind, namespace and name; apps are never replaced.
    ResourcesPath(PathBuf),
    /// `--config`: a file with one Configuration, which replaces one of the same name.
    Config(PathBuf),
    /// Documents that are not in a file. Relative paths in them start at the working directory.
    Text {
        /// What diagnostics call it.
        name: PathBuf,
        /// The documents.
        text: String,
    },
}

/// What a reader needs besides the documents.
pub struct LoadOptions<'a> {
    /// The namespace of documents that name none.
    pub namespace: Namespace,
    /// Looks up an environment variable for `envRef`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Apps that exist without an App document, such as a guest given on the command line: scopes may name them.
    pub known_apps: Vec<AppId>,
}

impl Default for LoadOptions<'_> {
    /// The default namespace and the environment of this process.
    fn default() -> Self {
        Self {
            namespace: Namespace::default(),
            env: &|name| std::env::var(name).ok(),
            known_apps: Vec::new(),
        }
    }
}

/// The resources of a deployment and every finding about them.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The documents without an error of their own.
    pub resources: Resources,
    /// Findings, sorted by place. With an error among them nothing may be deployed.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether a finding forbids deployment.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// Typed documents, by kind, each in the order of files and places.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// `kind: App`.
    pub apps: Vec<App>,
    /// `kind: Component`.
    pub components: Vec<Component>,
    /// `kind: Subscription`.
    pub subscriptions: Vec<Subscription>,
    /// `kind: Configuration`.
    pub configurations: Vec<Configuration>,
    /// `kind: Resiliency`.
    pub resiliencies: Vec<Resiliency>,
    /// `kind: HTTPEndpoint`.
    pub http_endpoints: Vec<HttpEndpoint>,
}

impl Resources {
    /// The configuration of an app: the one that it names, else the one given by `--config`.
    #[must_use]
    pub fn configuration_of(&self, app: &App) -> Option<&Configuration> {
        let mut own = self
            .configurations
            .iter()
            .filter(|configuration| configuration.namespace == app.namespace);
        match &app.configuration {
            Some(name) => own.find(|configuration| &configuration.name == name),
            None => own.find(|configuration| configuration.by_default),
        }
    }
}
