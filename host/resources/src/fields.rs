//! Maps whose fields are known: every field that is asked for becomes a known one, and the others are errors.

use crate::{
    Severity,
    node::{Entry, Node, Place, quote},
    reader::Reading,
    schema::Shape,
    suggest::{did_you_mean, nearest},
    value::Field,
};

/// A map and the fields that were asked for so far.
pub(crate) struct Fields<'n> {
    path: String,
    node: &'n Node,
    /// Where errors about the map as a whole stand: at its key, if it has one.
    place: Place,
    known: Vec<&'static str>,
    /// Known as well, but not worth listing.
    quiet: Vec<&'static str>,
    /// Known, and wanted.
    required: Vec<&'static str>,
    /// Required fields that are not there. One that was misspelt is reported once, as an unknown field.
    missing: Vec<(&'static str, String)>,
}

impl<'n> Fields<'n> {
    /// The top level of a document.
    pub(crate) fn root(node: &'n Node) -> Self {
        Self::of(String::new(), node, node.place)
    }

    /// The map at a path.
    pub(crate) fn of(path: String, node: &'n Node, place: Place) -> Self {
        Self {
            path,
            node,
            place,
            known: Vec::new(),
            quiet: Vec::new(),
            required: Vec::new(),
            missing: Vec::new(),
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The field, if it is there and not empty. An empty one is a warning: it looks like a setting and is none.
    pub(crate) fn optional(
        &mut self,
        name: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<Field<'n>> {
        let field = self.nullable(name)?;
        if field.node.is_null() {
            let message = format!("{} has no value and no effect", quote(&field.path));
            reading.warning(field.place(), message);
            return None;
        }
        Some(field)
    }

    /// The field, if it is there, even with an empty value.
    pub(crate) fn nullable(&mut self, name: &'static str) -> Option<Field<'n>> {
        self.known.push(name);
        let entries = self.node.map().unwrap_or_default();
        let entry = entries.iter().find(|entry| entry.key == name)?;
        Some(Field {
            path: self.path_of(name),
            node: &entry.value,
            key: Some(entry.place),
        })
    }

    /// The field; that it is missing or empty is an error which says what was expected.
    pub(crate) fn required(
        &mut self,
        name: &'static str,
        expected: &str,
        reading: &mut Reading<'_>,
    ) -> Option<Field<'n>> {
        let path = self.path_of(name);
        self.required.push(name);
        let Some(field) = self.nullable(name) else {
            self.missing.push((
                name,
                format!("{} is missing, expected {expected}", quote(&path)),
            ));
            return None;
        };
        if field.node.is_null() {
            let message = format!("{} has no value, expected {expected}", quote(&path));
            reading.error(field.place(), message);
            return None;
        }
        Some(field)
    }

    /// The field as a map of known fields.
    pub(crate) fn child(&mut self, name: &'static str, reading: &mut Reading<'_>) -> Option<Self> {
        self.optional(name, reading)?.fields(reading)
    }

    /// Fields that Dapr knows and this version does not apply.
    pub(crate) fn not_applied(&mut self, names: &[&'static str], reading: &mut Reading<'_>) {
        self.quiet.extend(names);
        for name in names {
            if self.node.get(name).is_some() {
                let message = format!("{} is not applied yet", quote(&self.path_of(name)));
                reading.warning(self.key_place(name), message);
            }
        }
    }

    /// Fields that are accepted and mean nothing to the host.
    pub(crate) fn ignore(&mut self, names: &[&'static str]) {
        self.quiet.extend(names);
    }

    pub(crate) fn key_place(&self, name: &str) -> Place {
        let entries = self.node.map().unwrap_or_default();
        let entry = entries.iter().find(|entry| entry.key == name);
        entry.map_or(self.place, |entry| entry.place)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Whether there are fields that nobody asked for until now.
    pub(crate) fn has_unknown(&self) -> bool {
        self.unknown().next().is_some()
    }

    pub(crate) fn unknown(&self) -> impl Iterator<Item = &'n Entry> {
        let entries = self.node.map().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| !self.names().any(|name| name == entry.key))
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().chain(&self.quiet).copied()
    }

    /// Reports every field that nobody asked for, and every required one that is not there.
    pub(crate) fn finish(self, reading: &mut Reading<'_>) {
        reading.note(&self.path, || self.shape());
        let within = match self.path.as_str() {
            "" => String::new(),
            path => format!(" in {}", quote(path)),
        };
        for entry in self.unknown() {
            let meant = did_you_mean(&entry.key, self.names());
            let message = format!("unknown field {}{within}{meant}", quote(&entry.key));
            let hint = meant.is_empty().then(|| self.known_list());
            reading.find(entry.place, Severity::Error, message, hint);
        }
        self.finish_missing(reading);
    }

    fn shape(&self) -> Shape {
        let entries = self.node.map().unwrap_or_default();
        let place = |name: &&'static str| {
            let entry = entries.iter().find(|entry| entry.key == **name)?;
            Some((*name, entry.place))
        };
        Shape::Map {
            known: self.known.clone(),
            places: self.known.iter().filter_map(place).collect(),
            required: self.required.clone(),
            ignored: self.quiet.clone(),
        }
    }

    /// Reports only what is missing: for a document of which nothing else can be said.
    pub(crate) fn finish_missing(self, reading: &mut Reading<'_>) {
        let meant: Vec<&str> = self
            .unknown()
            .filter_map(|entry| nearest(&entry.key, self.names()))
            .collect();
        for (name, message) in &self.missing {
            if !meant.contains(name) {
                reading.error(self.place, message.as_str());
            }
        }
    }

    fn known_list(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for name in &self.known {
            let name = format!("`{name}`");
            if !names.contains(&name) {
                names.push(name);
            }
        }
        format!("known here: {}", names.join(", "))
    }
}
