//! `spec.http`: paths and host that the ingress matches.

use crate::{HttpExposure, fields::Fields, node::quote, reader::Reading, value::Field};

impl HttpExposure {
    pub(super) fn read(mut fields: Fields<'_>, reading: &mut Reading<'_>) -> Self {
        let paths = match fields.optional("paths", reading) {
            Some(field) => read_paths(&field, reading),
            None => Vec::new(),
        };
        let host = fields.optional("host", reading);
        let host = host.and_then(|field| read_host(&field, reading));
        fields.finish(reading);
        Self { paths, host }
    }
}

fn read_paths(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<String> {
    let items = field.items(reading);
    if items.is_empty() && field.node.scalar().is_none() && field.node.map().is_none() {
        field.refuse(
            reading,
            "expected at least one path such as `/orders`, found an empty list",
        );
    }
    let mut paths = Vec::new();
    for item in items {
        let Some(path) = read_path(&item, reading) else {
            continue;
        };
        if paths.contains(&path) {
            item.refuse(reading, format!("{} is listed twice", quote(&path)));
        } else {
            paths.push(path);
        }
    }
    paths
}

/// A prefix without the slash at its end, which would change nothing: prefixes match whole segments.
fn read_path(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    let wrong = path_fault(text);
    if let Some(wrong) = wrong {
        field.refuse(reading, format!("{wrong}, found {}", quote(text)));
        return None;
    }
    let trimmed = text.strip_suffix('/').filter(|rest| !rest.is_empty());
    Some(trimmed.unwrap_or(text).to_owned())
}

fn path_fault(path: &str) -> Option<&'static str> {
    let legal = |c: char| {
        c.is_ascii_graphic() && !matches!(c, '?' | '#' | '*' | '{' | '}' | '\\' | '"' | '<' | '>')
    };
    if !path.starts_with('/') {
        Some("expected a path that begins with `/`")
    } else if path.contains(['*', '{']) {
        Some("expected a plain prefix without wildcards, which matches everything below it")
    } else if path.contains(['?', '#']) {
        Some("expected a path without query and fragment")
    } else if !path.chars().all(legal) {
        Some("expected printable ASCII without spaces (percent-encode the rest)")
    } else if path.contains("//") || path.split('/').any(|segment| matches!(segment, "." | "..")) {
        Some("expected a path without empty, `.` and `..` segments")
    } else {
        None
    }
}

fn read_host(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    if is_host_name(text) {
        return Some(text.to_ascii_lowercase());
    }
    let expected =
        "expected a host name such as `orders.example.com`, without scheme, port and path";
    field.refuse(reading, format!("{expected}, found {}", quote(text)));
    None
}

/// Labels of letters, digits, `-` and `_`, at most 253 characters.
pub(super) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
