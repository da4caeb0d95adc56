//! Finding and reading the YAML files of a source.

use crate::{
    Diagnostic, Origin, Severity,
    kinds::{Ownership, ownership},
    suggest::nearest,
};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Largest file that is read.
const MAX_FILE: u64 = 1 << 20;
/// Most YAML files of one source.
const MAX_FILES: usize = 10_000;
/// Most folders of one source: a limit for those who start in their home folder.
const MAX_FOLDERS: usize = 50_000;

/// How far below a folder to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    One,
    All,
}

/// The YAML files of a folder, sorted; a file stands for itself.
pub(crate) fn find(path: &Path, depth: Depth, findings: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => walk(path, depth, findings),
        Ok(_) => vec![path.to_owned()],
        Err(error) => {
            findings.push(finding(path, Severity::Error, describe(&error)));
            Vec::new()
        }
    }
}

fn walk(root: &Path, depth: Depth, findings: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        // A symbolic link to a folder that was seen, such as one above it, leads nowhere new.
        if !fs::canonicalize(&folder).is_ok_and(|real| seen.insert(real)) {
            continue;
        }
        let entries = match sorted_entries(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                let severity = if folder == root {
                    Severity::Error
                } else {
                    Severity::Warning
                };
                let message = format!("cannot look into this folder: {}", describe(&error));
                findings.push(finding(&folder, severity, message));
                continue;
            }
        };
        for path in entries {
            if path.is_dir() {
                if depth == Depth::All && !is_skipped(&path) {
                    open.push(path);
                }
            } else if is_yaml(&path) && path.is_file() {
                files.push(shortened(path));
            }
        }
        if files.len() > MAX_FILES || seen.len() > MAX_FOLDERS {
            let message = format!(
                "more than {MAX_FILES} YAML files or {MAX_FOLDERS} folders: name a smaller folder"
            );
            findings.push(finding(root, Severity::Error, message));
            return Vec::new();
        }
    }
    files.sort();
    files
}

fn sorted_entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_skipped(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || matches!(&*name, "target" | "node_modules")
}

fn is_yaml(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
}

/// Without the `./` that says nothing.
fn shortened(path: PathBuf) -> PathBuf {
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

/// The text of a file, if it may hold a document of ours.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Diagnostic> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(finding(
            path,
            Severity::Error,
            format!("cannot read this file: {}", describe(&error)),
        ));
    }
    let is_large = u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE);
    match decode(bytes) {
        Ok(text) if !may_hold_ours(&text) => Ok(None),
        Ok(text) if is_large => {
            let message = format!("larger than {} MiB", MAX_FILE >> 20);
            if claims_ours(&text) {
                Err(finding(path, Severity::Error, message))
            } else {
                Ok(None)
            }
        }
        Ok(text) => Ok(Some(text)),
        Err(fault) if fault.is_ours => Err(fault.at(path)),
        Err(_) => Ok(None),
    }
}

/// Why bytes are not a text.
struct NotUtf8 {
    line: u32,
    column: u32,
    message: String,
    is_ours: bool,
}

impl NotUtf8 {
    fn at(self, path: &Path) -> Diagnostic {
        let origin = Origin {
            file: Arc::from(path),
            line: self.line,
            column: self.column,
        };
        Diagnostic {
            origin,
            severity: Severity::Error,
            message: self.message,
            hint: Some("save the file as UTF-8".to_owned()),
        }
    }
}

fn decode(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default()).into_owned();
        let last = before.rsplit('\n').next().unwrap_or_default();
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        let message = match bytes.get(valid) {
            _ if utf16 => "expected UTF-8, found UTF-16".to_owned(),
            Some(byte) => format!("expected UTF-8, found the byte 0x{byte:02x}"),
            None => "expected UTF-8".to_owned(),
        };
        // UTF-16 is its ASCII with zeros in between, near enough to see whose file it is.
        let text = String::from_utf8_lossy(&bytes).replace(['\0', '\u{fffd}'], "");
        NotUtf8 {
            line: number(before.matches('\n').count()),
            column: number(last.chars().count()),
            message,
            is_ours: claims_ours(&text),
        }
    })
}

/// Whether a file is worth parsing: a cheap look that lets no document of ours slip by.
fn may_hold_ours(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("dapr") || lower.contains("berth") || claims_ours(text)
}

/// Whether a line looks like an apiVersion of ours: what decides when a file cannot be parsed.
pub(crate) fn claims_ours(text: &str) -> bool {
    const NOISE: [char; 7] = [' ', '\t', '{', '}', '"', '\'', '\r'];
    let parts = text.lines().flat_map(|line| line.split(','));
    let pairs = parts.filter_map(|part| part.split_once(':'));
    pairs
        .map(|(key, value)| (key.trim_matches(NOISE), value.trim_matches(NOISE)))
        .filter(|(key, _)| *key == "apiVersion" || nearest(key, ["apiVersion"]).is_some())
        .any(|(_, value)| ownership(value) != Ownership::Foreign)
}

pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn finding(path: &Path, severity: Severity, message: String) -> Diagnostic {
    Diagnostic {
        origin: Origin::file(path),
        severity,
        message,
        hint: None,
    }
}
