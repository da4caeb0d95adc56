//! From sources to resources: finds the files, reads every document, checks the documents against each other.

use crate::{
    Diagnostic, LoadOptions, Loaded, Origin, Resources, Severity, Source,
    checks::{self, Found, Layer},
    document::{self, Resource},
    files::{self, Depth},
    reader::Reading,
    yaml::{self, Issue, Parsed},
};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Loads the documents of all sources and reports everything that is wrong with them at once.
#[must_use]
pub fn load(sources: &[Source], options: &LoadOptions<'_>) -> Loaded {
    let mut loading = Loading {
        options,
        found: Vec::new(),
        findings: Vec::new(),
        done: HashSet::new(),
    };
    // The layers above first, so that a file which also lies in a folder below is read as what it was named.
    for layer in [Layer::Config, Layer::ResourcesPath, Layer::Dir] {
        for source in sources {
            loading.source(source, layer);
        }
    }
    let Loading {
        found,
        mut findings,
        ..
    } = loading;
    let found = checks::replace(found, &mut findings);
    checks::references(&found, options, &mut findings);
    let resources = sort(found);
    checks::ingress(&resources.apps, &mut findings);
    findings.sort();
    findings.dedup();
    Loaded {
        resources,
        diagnostics: findings,
    }
}

struct Loading<'a> {
    options: &'a LoadOptions<'a>,
    found: Vec<Found>,
    findings: Vec<Diagnostic>,
    /// Files that were read, by their real path.
    done: HashSet<PathBuf>,
}

impl Loading<'_> {
    fn source(&mut self, source: &Source, layer: Layer) {
        match (source, layer) {
            (Source::Config(path), Layer::Config) => self.config(path),
            (Source::ResourcesPath(path), Layer::ResourcesPath) => {
                self.folder(path, Depth::One, layer)
            }
            (Source::Dir(path), Layer::Dir) => self.folder(path, Depth::All, layer),
            (Source::Text { name, text }, Layer::Dir) => {
                self.text(name, Path::new("."), text, layer)
            }
            _ => {}
        }
    }

    fn folder(&mut self, path: &Path, depth: Depth, layer: Layer) {
        for file in files::find(path, depth, &mut self.findings) {
            self.file(&file, layer);
        }
    }

    /// `--config`: nothing but one Configuration.
    fn config(&mut self, path: &Path) {
        let first = self.found.len();
        let findings = self.findings.len();
        if path.is_dir() {
            let message = "expected a file with a Configuration, found a folder".to_owned();
            return self.find(Origin::file(path), message);
        }
        self.file(path, Layer::Config);
        let documents = self.found.get(first..).unwrap_or_default();
        let fault = config_fault(documents);
        let is_silent = documents.is_empty() && self.findings.len() == findings;
        let none = "expected a Configuration (`dapr.io/v1alpha1`), found none";
        let fault = fault.or(is_silent.then(|| (Origin::file(path), none.to_owned())));
        if let Some((origin, message)) = fault {
            self.find(origin, message);
        }
    }

    fn find(&mut self, origin: Origin, message: String) {
        self.findings.push(Diagnostic {
            origin,
            severity: Severity::Error,
            message,
            hint: None,
        });
    }

    fn file(&mut self, path: &Path, layer: Layer) {
        // Two names of one file within a layer stay two, so that they are reported as duplicates.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let is_known = !self.done.insert(real);
        if is_known && layer == Layer::Dir {
            return;
        }
        match files::read(path) {
            Ok(Some(text)) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                self.text(path, folder, &text, layer);
            }
            Ok(None) => {}
            Err(finding) => self.findings.push(finding),
        }
    }

    fn text(&mut self, name: &Path, folder: &Path, text: &str, layer: Layer) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: Arc<Path> = Arc::from(name);
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let Parsed { documents, syntax } = yaml::parse(text);
        let mut is_ours = false;
        for parsed in &documents {
            if !document::is_ours(&parsed.root) {
                continue;
            }
            is_ours = true;
            let mut reading = Reading {
                file: Arc::clone(&file),
                folder: folder.clone(),
                options: self.options,
                findings: Vec::new(),
                references: Vec::new(),
                shapes: None,
            };
            self.document(parsed, &mut reading, layer);
            self.findings.append(&mut reading.findings);
        }
        if let Some(issue) = syntax.filter(|_| is_ours || files::claims_ours(text)) {
            let origin = Origin {
                file,
                line: issue.place.line,
                column: issue.place.column,
            };
            self.findings.push(diagnostic(origin, issue));
        }
    }

    fn document(&mut self, parsed: &yaml::Document, reading: &mut Reading<'_>, layer: Layer) {
        let (identity, resource) = document::read(&parsed.root, reading);
        if !parsed.complete {
            // Whatever is missing may stand in the part that was not read.
            reading.findings.clear();
        }
        for issue in &parsed.issues {
            let Issue {
                place,
                message,
                hint,
            } = issue.clone();
            reading.find(place, Severity::Error, message, hint);
        }
        let whole = parsed.complete && !reading.has_errors();
        let resource = resource.filter(|_| whole);
        let Some(identity) = identity else { return };
        let resource = resource.map(|resource| match resource {
            Resource::Configuration(mut configuration) => {
                configuration.by_default = layer == Layer::Config;
                Resource::Configuration(configuration)
            }
            other => other,
        });
        let origin = reading.origin(parsed.root.place);
        let references = std::mem::take(&mut reading.references);
        self.found.push(Found {
            layer,
            identity,
            origin,
            resource,
            references,
        });
    }
}

/// A document that does not belong into a file for `--config`, and why.
fn config_fault(documents: &[Found]) -> Option<(Origin, String)> {
    let is_configuration = |found: &&Found| found.identity.kind == "Configuration";
    if let Some(other) = documents.iter().find(|found| !is_configuration(found)) {
        let kind = other.identity.kind;
        let message = format!("expected only a Configuration in this file, found kind `{kind}`");
        return Some((other.origin.clone(), message));
    }
    let second = documents.iter().filter(is_configuration).nth(1)?;
    let message = "expected one Configuration in this file, found another";
    Some((second.origin.clone(), message.to_owned()))
}

fn diagnostic(origin: Origin, issue: Issue) -> Diagnostic {
    Diagnostic {
        origin,
        severity: Severity::Error,
        message: issue.message,
        hint: issue.hint,
    }
}

/// By kind, in the order of files and places.
fn sort(mut found: Vec<Found>) -> Resources {
    found.sort_by(|a, b| a.origin.cmp(&b.origin));
    let mut resources = Resources::default();
    for resource in found.into_iter().filter_map(|found| found.resource) {
        match resource {
            Resource::App(app) => resources.apps.push(app),
            Resource::Component(component) => resources.components.push(component),
            Resource::Subscription(subscription) => resources.subscriptions.push(subscription),
            Resource::Configuration(configuration) => resources.configurations.push(configuration),
            Resource::Resiliency(resiliency) => resources.resiliencies.push(resiliency),
            Resource::HttpEndpoint(endpoint) => resources.http_endpoints.push(endpoint),
        }
    }
    resources
}
