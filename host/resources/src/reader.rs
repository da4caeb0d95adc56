//! The reading of one document, and the findings on the way.

use crate::{Diagnostic, LoadOptions, Origin, Severity, node::Place, schema::Shape};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The reading of one document: where it stands and what was found.
pub(crate) struct Reading<'a> {
    /// The file, as the user named it.
    pub file: Arc<Path>,
    /// Absolute folder that relative paths of an App start from.
    pub folder: PathBuf,
    pub options: &'a LoadOptions<'a>,
    pub findings: Vec<Diagnostic>,
    pub references: Vec<Reference>,
    /// What is asked of which value, by its path: where the schemas of the kinds come from. Nothing if nobody wants it.
    pub shapes: Option<Vec<(String, Shape)>>,
}

/// A name of another document, to be checked when all are known.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub kind: &'static str,
    pub name: String,
    pub origin: Origin,
}

impl Reading<'_> {
    pub(crate) fn origin(&self, place: Place) -> Origin {
        Origin {
            file: Arc::clone(&self.file),
            line: place.line,
            column: place.column,
        }
    }

    pub(crate) fn error(&mut self, place: Place, message: impl Into<String>) {
        self.find(place, Severity::Error, message.into(), None);
    }

    pub(crate) fn error_with_hint(
        &mut self,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.find(place, Severity::Error, message.into(), Some(hint.into()));
    }

    pub(crate) fn warning(&mut self, place: Place, message: impl Into<String>) {
        self.find(place, Severity::Warning, message.into(), None);
    }

    pub(crate) fn find(
        &mut self,
        place: Place,
        severity: Severity,
        message: String,
        hint: Option<String>,
    ) {
        let origin = self.origin(place);
        self.findings.push(Diagnostic {
            origin,
            severity,
            message,
            hint,
        });
    }

    /// Notes that the value at a path is read as this.
    pub(crate) fn note(&mut self, path: &str, shape: impl FnOnce() -> Shape) {
        if let Some(shapes) = &mut self.shapes {
            shapes.push((path.to_owned(), shape()));
        }
    }

    pub(crate) fn refer(&mut self, kind: &'static str, name: &str, place: Place) {
        let origin = self.origin(place);
        self.references.push(Reference {
            kind,
            name: name.to_owned(),
            origin,
        });
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}
