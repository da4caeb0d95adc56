//! How the binary is linked.

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Libraries that go into a release where the machine has their archives: librdkafka needs them.
const ARCHIVES: [&str; 3] = ["libssl.a", "libcrypto.a", "libz.a"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=BERTH_PIE");
    // A build for tests starts a thousand times, and has four hundred thousand addresses to fill in.
    if env::var_os("BERTH_PIE").is_none() {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    if env::var("PROFILE").as_deref() != Ok("release") {
        return Ok(());
    }
    prefer_archives()
}

/// The linker takes what it finds first: a folder that holds the archives alone comes before those of the system.
fn prefer_archives() -> io::Result<()> {
    let found: Vec<_> = ARCHIVES.iter().filter_map(|name| archive(name)).collect();
    if found.len() < ARCHIVES.len() {
        return Ok(());
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("archives");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for archive in found {
        let name = archive.file_name().unwrap_or_default();
        symlink(&archive, folder.join(name))?;
    }
    println!("cargo:rustc-link-search=native={}", folder.display());
    Ok(())
}

/// Where the C compiler has a library; it answers the bare name where it has none.
fn archive(name: &str) -> Option<PathBuf> {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let answer = Command::new(compiler)
        .arg(format!("-print-file-name={name}"))
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim());
    (path.is_absolute() && Path::new(&path).exists()).then_some(path)
}
