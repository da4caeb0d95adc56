//! What a guest was made from.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// The state of every input, and of what makes the guest from them.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Versions of the tools, and settings.
    made_by: String,
    /// Length and time of change in nanoseconds; nothing for a file that was not there.
    inputs: BTreeMap<PathBuf, Option<(u64, u128)>>,
    /// What was said when it was built, so that it is said again.
    pub warnings: Vec<String>,
    /// What the guest offers.
    pub offers: Vec<String>,
}

impl Stamp {
    /// Looks at the inputs.
    pub fn of(made_by: String, inputs: impl IntoIterator<Item = PathBuf>) -> Self {
        let inputs = inputs
            .into_iter()
            .map(|path| {
                let state = state(&path);
                (path, state)
            })
            .collect();
        Self {
            made_by,
            inputs,
            warnings: Vec::new(),
            offers: Vec::new(),
        }
    }

    /// What was noted in a file, if `output` is there and nothing has changed since.
    pub fn current(file: &Path, made_by: &str, output: &Path) -> Option<Self> {
        let noted: Self = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
        let same = noted.made_by == made_by
            && noted.inputs.iter().all(|(path, then)| state(path) == *then);
        (same && output.is_file()).then_some(noted)
    }

    /// Notes it.
    pub fn write(&self, file: &Path) -> Result<()> {
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        fs::write(file, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("writing {}", file.display()))
    }
}

fn state(path: &Path) -> Option<(u64, u128)> {
    let metadata = fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((metadata.len(), changed.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_new_and_a_missing_file_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.ts"), "1").unwrap();
        fs::write(path("out.wasm"), "").unwrap();
        let note = || {
            let stamp = Stamp::of("v1".to_owned(), [path("a.ts"), path("tsconfig.json")]);
            stamp.write(&path("stamp")).unwrap();
        };
        let current = |made_by| Stamp::current(&path("stamp"), made_by, &path("out.wasm"));
        note();
        assert!(current("v1").is_some());
        assert!(current("v2").is_none(), "another SDK");
        fs::write(path("a.ts"), "22").unwrap();
        assert!(current("v1").is_none(), "a changed file");
        note();
        fs::write(path("tsconfig.json"), "{}").unwrap();
        assert!(current("v1").is_none(), "a new file");
        note();
        fs::remove_file(path("out.wasm")).unwrap();
        assert!(current("v1").is_none(), "no guest");
    }
}
