//! Lists the files that the binary carries with it: the SDKs, the WIT packages, the templates of projects.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Folder below the repository's root, and what is left out of it.
const FOLDERS: [(&str, &[&str]); 7] = [
    ("wit/sdk/javascript", &["test", "node_modules"]),
    ("wit/sdk/c", &[]),
    ("wit/sdk/go", &["test"]),
    ("wit/sdk/rust", &["target", "Cargo.lock"]),
    ("wit/sdk/python", &["test", "__pycache__"]),
    ("wit/deps", &[]),
    ("host/toolchains/templates", &[]),
];
/// Single files besides.
const FILES: [&str; 2] = ["wit/berth.wit", "scripts/guest-toolchain.sh"];

fn main() -> io::Result<()> {
    // At run time: this program may have been compiled in another copy of the repository.
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../..");
    let root = root.canonicalize()?;
    let mut files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for (folder, without) in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root, Path::new(folder), without, &mut files)?;
    }
    files.sort();
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut list = fs::File::create(out.join("files.rs"))?;
    writeln!(list, "&[")?;
    for file in files {
        let path = root.join(&file);
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(
            list,
            "({:?}, include_str!({:?})),",
            file.display().to_string(),
            path.display().to_string()
        )?;
    }
    writeln!(list, "]")
}

/// A variable that cargo sets for build scripts.
fn variable(name: &str) -> io::Result<OsString> {
    env::var_os(name).ok_or_else(|| io::Error::other(format!("cargo sets no {name}")))
}

fn collect(
    root: &Path,
    folder: &Path,
    without: &[&str],
    files: &mut Vec<PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        if without.iter().any(|one| name == *one) {
            continue;
        }
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            collect(root, &path, without, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
