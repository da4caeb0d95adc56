//! Packages of the system.

use crate::command;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Asked by Debian before a package's service is started. By policy this file belongs to whoever runs the machine.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// 101: "action forbidden".
const FORBID: &str = "#!/bin/sh\n# Of `cargo xtask`, while it installs packages.\nexit 101\n";

/// Installs packages when that needs no password, else says how to. The services that come with them are not started:
/// the tests start servers of their own.
pub fn install(packages: &[&str], what_for: &str) -> Result<()> {
    if !is_root() || !command::succeeds(Command::new("apt-get").arg("--version")) {
        let line = packages.join(" ");
        bail!(
            "{what_for} is missing; this line installs it on Debian:\n  \
             sudo apt-get install --no-install-recommends {line}"
        );
    }
    println!("installing {}", packages.join(" "));
    let _quiet = NoServices::begin()?;
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

/// While it lives, packages start no services, with systemd and without.
struct NoServices {
    /// Whether the policy is ours, to be removed; images of containers often have one that says the same.
    own: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        let own = !Path::new(POLICY).exists();
        if own {
            fs::write(POLICY, FORBID).with_context(|| format!("writing {POLICY}"))?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))
                .with_context(|| format!("making {POLICY} executable"))?;
        }
        Ok(Self { own })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        // One that an interrupted run left says the same: it is removed next time.
        let ours = self.own || fs::read_to_string(POLICY).is_ok_and(|policy| policy == FORBID);
        if ours && let Err(error) = fs::remove_file(POLICY) {
            eprintln!("{POLICY} forbids services to start; remove it: {error}");
        }
    }
}
