//! Which of two is newer, so that nothing is built twice.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders below sources that tools write into.
const GENERATED: [&str; 4] = ["target", "node_modules", "__pycache__", ".berth"];

/// Whether `output` exists and nothing in `inputs`, files or folders, was changed after it.
pub fn is_fresh(output: &Path, inputs: &[PathBuf]) -> Result<bool> {
    let Ok(built) = modified(output) else {
        return Ok(false);
    };
    for input in inputs {
        if newest(input)? > built {
            return Ok(false);
        }
    }
    Ok(true)
}

fn newest(path: &Path) -> Result<SystemTime> {
    let mut newest = modified(path)?;
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            let entry = entry?;
            if is_source(&entry.path()) {
                newest = newest.max(self::newest(&entry.path())?);
            }
        }
    }
    Ok(newest)
}

fn is_source(path: &Path) -> bool {
    let generated = path
        .file_name()
        .is_some_and(|name| GENERATED.iter().any(|one| name == *one));
    !generated && path.extension().is_none_or(|extension| extension != "wasm")
}

/// Folders count as old as their content: writing a built guest beside its source must not age the guest.
fn modified(path: &Path) -> Result<SystemTime> {
    let metadata = fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?;
    if metadata.is_dir() {
        return Ok(SystemTime::UNIX_EPOCH);
    }
    Ok(metadata.modified()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn write(path: &Path, seconds_ago: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let time = SystemTime::now() - Duration::from_secs(seconds_ago);
        fs::File::create(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn an_output_is_fresh_until_a_source_is_newer() {
        let dir = tempfile::tempdir().unwrap();
        let (source, output) = (dir.path().join("src/a.rs"), dir.path().join("a.wasm"));
        let inputs = [dir.path().join("src")];
        write(&source, 20);
        assert!(
            !is_fresh(&output, &inputs).unwrap(),
            "there is no output yet"
        );
        write(&output, 10);
        assert!(is_fresh(&output, &inputs).unwrap());
        write(&source, 5);
        assert!(!is_fresh(&output, &inputs).unwrap());
    }

    #[test]
    fn what_tools_write_beside_the_source_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("a.wasm");
        let inputs = [dir.path().to_path_buf()];
        write(&dir.path().join("a.rs"), 20);
        write(&output, 10);
        write(&dir.path().join("target/b.rs"), 5);
        write(&dir.path().join("b.wasm"), 5);
        assert!(is_fresh(&output, &inputs).unwrap());
    }
}
