//! From a file to its scenarios.

use super::{Checks, Given, Scenario, Step, Sweep};
use crate::{
    Diagnostic, LoadOptions, Origin, Severity,
    fields::Fields,
    files,
    node::quote,
    reader::Reading,
    value::Field,
    yaml::{self, Issue},
};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file of scenarios, each with all that is given to it.
#[derive(Debug, Clone)]
pub struct TestFile {
    /// As the user named it.
    pub path: PathBuf,
    /// In the order of the file.
    pub scenarios: Vec<Scenario>,
}

/// How the names of such files end.
const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// Whether a file holds scenarios, by its name.
#[must_use]
pub fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The folder that a file lies in: what scenarios name is relative to it.
#[must_use]
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The files of scenarios below a folder, sorted, as documents are found; a file stands for itself.
#[must_use]
pub fn find_tests(path: &Path, findings: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut files = files::find(path, files::Depth::All, findings);
    if path.is_dir() {
        files.retain(|file| is_test_file(file));
    }
    files
}

/// Reads a file of scenarios.
///
/// # Errors
/// Everything that is wrong with it, sorted by place.
pub fn read_test(path: &Path) -> Result<TestFile, Vec<Diagnostic>> {
    let text = fs::read_to_string(path).map_err(|error| {
        vec![Diagnostic {
            origin: Origin::file(path),
            severity: Severity::Error,
            message: format!("cannot read this file: {}", files::describe(&error)),
            hint: None,
        }]
    })?;
    read_test_text(path, &text)
}

/// Reads scenarios that are not in a file yet; paths in them are relative to that of the name.
///
/// # Errors
/// Everything that is wrong with them, sorted by place.
pub fn read_test_text(path: &Path, text: &str) -> Result<TestFile, Vec<Diagnostic>> {
    let folder = folder_of(path);
    let options = LoadOptions::default();
    let mut reading = Reading {
        file: Arc::from(path),
        folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
        options: &options,
        findings: Vec::new(),
        references: Vec::new(),
        shapes: None,
    };
    let scenarios = whole(text, &mut reading);
    let mut findings = reading.findings;
    findings.sort();
    findings.dedup();
    let is_error = |finding: &Diagnostic| finding.severity == Severity::Error;
    if findings.iter().any(is_error) {
        return Err(findings);
    }
    Ok(TestFile {
        path: path.to_owned(),
        scenarios,
    })
}

fn whole(text: &str, reading: &mut Reading<'_>) -> Vec<Scenario> {
    let parsed = yaml::parse(text.strip_prefix('\u{feff}').unwrap_or(text));
    if let Some(issue) = parsed.syntax {
        // Whatever is missing may stand in the part that was not read.
        report(issue, reading);
        return Vec::new();
    }
    let mut documents = parsed.documents.into_iter();
    let Some(document) = documents.next() else {
        let place = crate::node::Place { line: 1, column: 1 };
        reading.error(place, "expected `scenarios`, found an empty file");
        return Vec::new();
    };
    for issue in document.issues {
        report(issue, reading);
    }
    if let Some(second) = documents.next() {
        let message = "expected one document, found another: scenarios stand in one list";
        reading.error(second.root.place, message);
    }
    if document.root.map().is_none() {
        let message = format!("expected `scenarios`, found {}", document.root.describe());
        reading.error(document.root.place, message);
        return Vec::new();
    }
    file(Fields::root(&document.root), reading)
}

fn report(issue: Issue, reading: &mut Reading<'_>) {
    reading.find(issue.place, Severity::Error, issue.message, issue.hint);
}

fn file(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Vec<Scenario> {
    let given = fields.child("given", reading);
    let given = given.map(|fields| Given::read(fields, reading));
    let given = given.unwrap_or_default();
    let list = fields.required("scenarios", "a list of scenarios", reading);
    fields.finish(reading);
    let items = list.map(|field| field.items(reading)).unwrap_or_default();
    let mut names = HashSet::new();
    let mut scenarios = Vec::new();
    for item in items {
        if let Some(scenario) = scenario(item, &given, &mut names, reading) {
            scenarios.push(scenario);
        }
    }
    scenarios
}

fn scenario(
    field: Field<'_>,
    file: &Given,
    names: &mut HashSet<String>,
    reading: &mut Reading<'_>,
) -> Option<Scenario> {
    let origin = reading.origin(field.place());
    let mut fields = field.fields(reading)?;
    let name = fields.required("name", "what it shows, in words", reading);
    let name = name.and_then(|field| {
        let name = field.text(reading)?;
        if !names.insert(name.to_owned()) {
            field.refuse(reading, format!("another scenario is {}, too", quote(name)));
        }
        Some(name.to_owned())
    });
    let given = fields.child("given", reading);
    let when = fields.optional("when", reading);
    let then = fields.child("then", reading);
    let sweep = fields.optional("sweep", reading);
    fields.finish(reading);
    let given = given.map(|fields| Given::read(fields, reading));
    let when = when.map(|field| Step::read_all(&field, reading));
    let then = then.map(|fields| Checks::read(fields, false, reading));
    let sweep = sweep.map(|field| field.choice(&Sweep::CHOICES, reading));
    Some(Scenario {
        name: name?,
        given: given.unwrap_or_default().within(file),
        when: when.unwrap_or_default(),
        then: then.unwrap_or_default(),
        sweep: match sweep {
            Some(sweep) => Some(sweep?),
            None => None,
        },
        origin,
    })
}
