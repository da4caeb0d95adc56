//! Which projects make the guests that somebody runs, and which of their files matter.

use crate::{Request, project::Project};
use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

/// Folders that hold no source: what tools make and install. So do those whose name begins with a dot.
const NOT_SOURCE: [&str; 4] = ["__pycache__", "node_modules", "target", "venv"];
/// What builds leave beside the source, and where people keep what the host says, through a pipe as well: a build that fails
/// and is said so there would be the next change.
const MADE: [&str; 5] = ["draft", "log", "out", "pyc", "wasm"];

/// The project that makes a guest: the nearest folder above it whose manifest says that it does.
#[must_use]
pub fn project_of(guest: &Path) -> Option<PathBuf> {
    let guest = std::path::absolute(guest).ok()?;
    let above = guest.ancestors().skip(1);
    nearest(above, |output| output == guest)
}

/// The project whose guest lies in a folder: the folder itself, or one above it.
#[must_use]
pub fn project_for(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    nearest(folder.ancestors(), |output| output.starts_with(&folder))
}

fn nearest<'p>(
    mut folders: impl Iterator<Item = &'p Path>,
    is_wanted: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let makes = |folder: &&Path| {
        let request = Request {
            project: folder.to_path_buf(),
            language: None,
            output: None,
            tools: None,
            colours: false,
            force: false,
        };
        Project::open(&request).is_ok_and(|project| is_wanted(&project.output))
    };
    folders.find(makes).map(Path::to_owned)
}

/// Whether a folder of a project may hold source, by its name.
#[must_use]
pub fn may_hold_source(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    !name.starts_with('.') && !NOT_SOURCE.contains(&name.as_ref())
}

/// Whether a file of a project may be source: it is neither hidden, nor made by a build, nor where this process's output goes.
#[must_use]
pub fn may_be_source(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default();
    let is_made = MADE.iter().any(|made| extension == *made);
    let takes = |output: BorrowedFd<'_>| is_same(file, output).unwrap_or(false);
    may_hold_source(file)
        && !is_made
        && !takes(io::stdout().as_fd())
        && !takes(io::stderr().as_fd())
}

fn is_same(file: &Path, output: BorrowedFd<'_>) -> io::Result<bool> {
    let output = File::from(output.try_clone_to_owned()?).metadata()?;
    let file = fs::metadata(file)?;
    Ok((file.dev(), file.ino()) == (output.dev(), output.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_leads_to_the_project_that_makes_it_and_to_no_other() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let shop = root.join("shop");
        fs::create_dir_all(shop.join("apps")).unwrap();
        fs::write(root.join("Cargo.toml"), "[workspace]\n").unwrap();
        let manifest = r#"{"name": "orders", "berth": {"output": "apps/orders.wasm"}}"#;
        fs::write(shop.join("package.json"), manifest).unwrap();
        assert_eq!(
            project_of(&shop.join("apps/orders.wasm")),
            Some(shop.clone())
        );
        assert_eq!(project_of(&shop.join("apps/other.wasm")), None);
        assert_eq!(project_for(&shop), Some(shop.clone()));
        assert_eq!(project_for(&shop.join("apps")), Some(shop));
    }

    #[test]
    fn a_file_is_known_by_what_is_written_to_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        let output = File::create(&one)?;
        fs::write(&other, "")?;
        assert!(is_same(&one, output.as_fd())?);
        assert!(!is_same(&other, output.as_fd())?);
        Ok(())
    }

    #[test]
    fn what_tools_make_is_no_source() {
        for file in [
            "/p/a.wasm",
            "/p/a.wasm.draft",
            "/p/.a.swp",
            "/p/a.pyc",
            "/p/host.log",
            "/p/nohup.out",
        ] {
            assert!(!may_be_source(Path::new(file)), "{file}");
        }
        assert!(may_be_source(Path::new("/p/src/app.ts")));
        assert!(!may_hold_source(Path::new("/p/.berth")));
        assert!(!may_hold_source(Path::new("/p/node_modules")));
    }
}
