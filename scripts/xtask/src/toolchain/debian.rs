//! Packages of the system.

use crate::command;
use anyhow::{Result, bail};
use std::process::Command;

/// Installs packages when that needs no password, else says how to.
pub fn install(packages: &[&str], what_for: &str) -> Result<()> {
    let line = format!(
        "apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    if !is_root() || !command::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("{what_for} is missing; this line installs it on Debian:\n  sudo {line}");
    }
    println!("installing {}", packages.join(" "));
    if apt_get("install", packages).is_err() {
        // The lists of a fresh machine or image are empty.
        apt_get("update", &[])?;
        apt_get("install", packages)?;
    }
    Ok(())
}

fn apt_get(action: &str, packages: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .args(["--yes", "--no-install-recommends", action])
        .args(packages);
    command::run_quietly(&mut apt)
}

fn is_root() -> bool {
    command::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
