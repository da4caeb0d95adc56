//! What `cargo build` needs besides Rust: a C compiler, and OpenSSL for the Kafka client, whose C library is compiled.

use super::debian;
use crate::command;
use anyhow::Result;
use std::process::Command;

/// Packages of Debian that have all of it.
const PACKAGES: [&str; 5] = ["gcc", "g++", "make", "pkg-config", "libssl-dev"];

/// Installs what is missing of it.
pub fn ensure() -> Result<String> {
    if let Ok(ready) = describe() {
        return Ok(ready);
    }
    debian::install(&PACKAGES, "what the build needs")?;
    describe()
}

fn describe() -> Result<String> {
    for program in ["cc", "c++", "make"] {
        command::run_quietly(Command::new(program).arg("--version"))?;
    }
    let openssl = command::output(Command::new("pkg-config").args(["--modversion", "openssl"]))?;
    Ok(format!("C compiler, OpenSSL {}", openssl.trim()))
}
