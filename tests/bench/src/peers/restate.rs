//! Restate with its Node SDK: the server and the SDK as npm has them, and a service whose handler runs steps.

use crate::{
    paths,
    server::{Server, free_address},
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PACKAGES: [&str; 2] = [
    "@restatedev/restate-server@1.7.12",
    "@restatedev/restate-sdk@1.17.2",
];

/// The SDK needs Node 22, or this on Node 20.
const POLYFILL: &str = "Promise.withResolvers ??= function () {\n  \
    let resolve, reject;\n  \
    const promise = new this((yes, no) => { resolve = yes; reject = no; });\n  \
    return { promise, resolve, reject };\n};\n";

const SERVICE: &str = "import * as restate from '@restatedev/restate-sdk';\n\
    const steps = async (ctx, count) => {\n  \
      for (let step = 0; step < count; step++) await ctx.run('step', () => step);\n  \
      return count;\n\
    };\n\
    restate.serve({ services: [restate.service({ name: 'bench', handlers: { steps } })], port: Number(process.env.PORT) });\n";

/// How long the server may take until a workflow runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server with its service.
pub struct Restate {
    service: Child,
    /// Its ingress.
    pub server: Server,
}

/// Starts both on data of their own.
pub fn start(folder: &Path) -> Result<Restate> {
    let tools = install()?;
    fs::write(tools.join("polyfill.mjs"), POLYFILL)?;
    fs::write(tools.join("service.mjs"), SERVICE)?;
    let port = free_address().port();
    let service = Command::new("node")
        .current_dir(&tools)
        .args(["--import", "./polyfill.mjs", "service.mjs"])
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.join("restate-service.log"))?)
        .stderr(Stdio::null())
        .spawn()
        .context("starting Restate's service")?;
    let (ingress, admin, node) = (free_address(), free_address(), free_address());
    let mut command = Command::new(binary(&tools)?);
    command
        .arg("--base-dir")
        .arg(folder.join("restate"))
        .env("DO_NOT_TRACK", "1")
        .env("RESTATE_INGRESS__BIND_ADDRESS", ingress.to_string())
        .env("RESTATE_ADMIN__BIND_ADDRESS", admin.to_string())
        .env("RESTATE_BIND_ADDRESS", node.to_string())
        .env("RESTATE_ADVERTISED_ADDRESS", format!("http://{node}"));
    let log = folder.join("restate.log");
    let server = Server::start(&mut command, ingress, "/restate/health", &log);
    let mut restate = Restate {
        service,
        server: server?,
    };
    restate.register(&format!("http://{admin}/deployments"), port)?;
    Ok(restate)
}

/// The server itself, in the package of this platform: the script of that name starts it as a child, which would go on
/// when the script is killed.
fn binary(tools: &Path) -> Result<PathBuf> {
    let packages = tools.join("node_modules/@restatedev");
    let folders = fs::read_dir(&packages).with_context(|| format!("in {}", packages.display()))?;
    let mut binaries = folders
        .flatten()
        .filter(|folder| {
            folder
                .file_name()
                .to_string_lossy()
                .starts_with("restate-server-")
        })
        .map(|folder| folder.path().join("bin/restate-server"));
    let found = binaries.find(|binary| binary.is_file());
    found.with_context(|| {
        format!(
            "no restate-server for this platform in {}",
            packages.display()
        )
    })
}

/// Installs what npm has, once.
fn install() -> Result<PathBuf> {
    let folder = paths::root().join("target/bench/restate");
    if folder.join("node_modules/.bin/restate-server").exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    let installed = Command::new("npm")
        .current_dir(&folder)
        .args(["install", "--no-audit", "--no-fund"])
        .args(PACKAGES)
        .output()
        .context("npm is missing: install Node 20 or newer")?;
    if !installed.status.success() {
        bail!(
            "installing Restate: {}",
            String::from_utf8_lossy(&installed.stderr)
        );
    }
    Ok(folder)
}

impl Restate {
    fn register(&mut self, admin: &str, port: u16) -> Result<()> {
        let began = Instant::now();
        loop {
            let body = format!("{{\"uri\":\"http://127.0.0.1:{port}\"}}");
            let registered = Command::new("curl")
                .args(["-sf", "-X", "POST", admin])
                .args(["-H", "content-type: application/json", "-d", &body])
                .output()
                .context("curl is missing")?;
            if registered.status.success() {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                bail!("Restate does not take its service within {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Restate {
    fn drop(&mut self) {
        // Nothing of it is needed afterwards.
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}
