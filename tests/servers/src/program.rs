//! Where servers are installed.

use std::{env, path::PathBuf};

/// Where Debian puts servers besides the search path.
const PLACES: [&str; 3] = ["/usr/sbin", "/usr/lib/rabbitmq/bin", "/usr/lib/postgresql"];

/// The path of a server's program. The test fails with the line that installs `package` when it is missing: a test that
/// is skipped would count as passed.
#[must_use]
pub fn program(name: &str, package: &str) -> PathBuf {
    find(name).unwrap_or_else(|| {
        panic!(
            "`{name}` is missing; this line installs it on Debian:\n  \
             sudo apt-get install --no-install-recommends {package}"
        )
    })
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let known = PLACES.iter().map(PathBuf::from);
    // PostgreSQL: one folder per major version.
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let versions = versions.flatten().map(|version| version.path().join("bin"));
    env::split_paths(&path)
        .chain(known)
        .chain(versions)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
