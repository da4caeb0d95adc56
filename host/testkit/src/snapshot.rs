//! Snapshots: what a scenario came to when somebody last looked at it and found it right.

use crate::{Problem, RunOptions};
use berth_resources::Origin;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// What differs from the snapshot; with `update`, the snapshot is written anew.
pub(crate) fn check(
    file: &Path,
    name: &str,
    origin: &Origin,
    seen: &Value,
    options: &RunOptions,
) -> Option<Problem> {
    let path = path(file, name);
    let seen = format!("{seen:#}\n");
    let problem = |message: String| Some(Problem::new(origin, message));
    let known = match fs::read_to_string(&path) {
        Ok(known) => Some(known),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return problem(format!("reading {}: {error}", path.display())),
    };
    if known.as_ref() == Some(&seen) {
        return None;
    }
    if options.update {
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = written.and_then(|()| fs::write(&path, &seen));
        return match written {
            Ok(()) => None,
            Err(error) => problem(format!("writing {}: {error}", path.display())),
        };
    }
    let Some(known) = known else {
        let message = format!("there is no snapshot {} yet", path.display());
        let hint = "hint: `berth test --update` writes what follows".to_owned();
        let lines = seen.lines().map(str::to_owned);
        return Some(Problem::new(origin, message).with(std::iter::once(hint).chain(lines)));
    };
    let message = format!("the outcome differs from {}", path.display());
    let hint = "hint: `berth test --update` accepts it".to_owned();
    let lines = std::iter::once(hint).chain(changes(&known, &seen));
    Some(Problem::new(origin, message).with(lines))
}

/// `orders.test.yaml` keeps its snapshots in `orders.snapshots/`.
fn path(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.split('.').next().unwrap_or_default().to_owned();
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-');
    file.with_file_name(format!("{stem}.snapshots"))
        .join(format!("{slug}.json"))
}

/// Changed lines, with some around them.
fn changes(before: &str, now: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, now);
    let groups = diff.grouped_ops(2);
    let mut lines = Vec::new();
    for group in groups {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end()));
        }
    }
    lines
}
