//! JavaScript and TypeScript: the compiler checks, esbuild bundles, componentize-js makes the component. Node.js runs them.

mod servers;

pub use servers::Servers;

use crate::{
    Built, Error,
    carried::{self, unpack},
    project::Project,
    said::{Said, eprint_bytes},
    stamp::Stamp,
    tool,
};
use anyhow::Context;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

/// Where the SDK lies in the binary.
const SDK: &str = "wit/sdk/javascript";
/// The versions of the tools, in the SDK.
const PINS: [&str; 2] = ["package.json", "package-lock.json"];
const NODE_MAJOR_MIN: u32 = 20;
/// Where a program begins if its manifest does not say.
const ENTRIES: [&str; 10] = [
    "src/app.ts",
    "src/index.ts",
    "src/main.ts",
    "app.ts",
    "index.ts",
    "src/app.js",
    "src/index.js",
    "src/main.js",
    "app.js",
    "index.js",
];
/// The WASI version that the engine itself imports: one is enough.
const ENGINE_WASI: (&str, &str) = ("0.2.12", "0.2.10");

/// Builds the project, unless nothing has changed.
pub fn build(project: &Project, say: &dyn Fn(&str)) -> Result<Built, Error> {
    build_by(project, "", say, &mut |entry, tools| {
        make(project, entry, tools)
    })
}

/// Builds the project as a program that is interpreted, which takes a moment, by a process that stays.
pub fn build_script(
    project: &Project,
    servers: &Servers,
    say: &dyn Fn(&str),
) -> Result<Built, Error> {
    build_by(project, "script", say, &mut |entry, tools| {
        let said = servers.ask(project, entry, tools, say)?;
        match &said.refused_by {
            None => install(project).map(|()| said),
            Some(tool) if tool == "TypeScript" => Err(Error::Compiler { tool: "TypeScript" }),
            Some(_) => Err(refused(said)),
        }
    })
}

fn build_by(
    project: &Project,
    form: &str,
    say: &dyn Fn(&str),
    make: &mut dyn FnMut(&Path, &Path) -> Result<Said, Error>,
) -> Result<Built, Error> {
    let entry = entry(project)?;
    let note = project.work().join("made-from.json");
    let made_by = format!(
        "{} {} {} {form}",
        carried::version(),
        entry.display(),
        project.output.display()
    );
    if !project.force
        && let Some(stamp) = Stamp::current(&note, &made_by, &project.output)
    {
        return Ok(Built::of(project, stamp, true));
    }
    let tools = install_tools(&project.tools, say)?;
    install_dependencies(project, say)?;
    let said = make(&entry, &tools)?;
    let manifests = ["package.json", "package-lock.json", "tsconfig.json"];
    let manifests = manifests.map(|name| project.folder.join(name));
    let mut stamp = Stamp::of(made_by, said.inputs.into_iter().chain(manifests));
    stamp.warnings = said.warnings;
    stamp.offers = said.offers;
    stamp.write(&note)?;
    Ok(Built::of(project, stamp, false))
}

fn entry(project: &Project) -> Result<PathBuf, Error> {
    if let Some(entry) = &project.settings.entry {
        let path = project.folder.join(entry);
        return match path.is_file() {
            true => Ok(path),
            false => Err(Error::wrong(
                format!(
                    "{}: `berth.entry` is `{entry}`, but there is no such file",
                    project.folder.join("package.json").display()
                ),
                "name the module with which the program begins",
            )),
        };
    }
    let found = ENTRIES.iter().map(|name| project.folder.join(name));
    found.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Error::wrong(
            format!("no program in {}", project.folder.display()),
            "it begins with src/app.ts, or with what package.json says: \"berth\": { \"entry\": \"src/server.ts\" }",
        )
    })
}

fn require_node() -> Result<(), Error> {
    let hint = format!(
        "install Node.js {NODE_MAJOR_MIN} or newer with npm (Debian: apt-get install nodejs npm)"
    );
    let version = Command::new("node").arg("--version").output();
    let version = version.map_err(|_| Error::wrong("no `node` on the PATH", hint.clone()))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) {
        return Err(Error::wrong(format!("Node.js is {version}"), hint));
    }
    if !tool::works(Command::new("npm").arg("--version")) {
        return Err(Error::wrong("no `npm` on the PATH", hint));
    }
    Ok(())
}

/// Installs the pinned tools, and the SDK of this version beside them. Returns the folder of the SDK and the WIT packages.
pub fn install_tools(tools: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    require_node()?;
    let folder = tools.join("javascript");
    // Modules find their dependencies in the folders above them. Versions lie side by side: another may be at work.
    let ours = folder.join(carried::version());
    if ours.is_dir() {
        return Ok(ours);
    }
    let _lock = tool::lock(&folder)?;
    install_pinned(&folder, say)?;
    let draft = folder.join(format!("{}.new", carried::version()));
    unpack(SDK, &draft.join("sdk"), str::to_owned)?;
    let (contract, engine) = ENGINE_WASI;
    unpack("wit/deps", &draft.join("wit/deps"), |text| {
        text.replace(contract, engine)
    })?;
    if !ours.is_dir() {
        fs::rename(&draft, &ours).with_context(|| format!("making {}", ours.display()))?;
    }
    Ok(ours)
}

fn install_pinned(folder: &Path, say: &dyn Fn(&str)) -> Result<(), Error> {
    let pins = PINS.map(|name| carried::file(&format!("{SDK}/build/{name}")));
    let modules = folder.join("node_modules");
    let same = PINS
        .iter()
        .zip(pins)
        .all(|(name, pin)| fs::read_to_string(modules.join(name)).is_ok_and(|there| there == pin));
    if same {
        return Ok(());
    }
    say("installing the JavaScript toolchain (once)");
    for (name, pin) in PINS.iter().zip(pins) {
        fs::write(folder.join(name), pin).with_context(|| format!("writing {name}"))?;
    }
    npm(folder, "ci")?;
    // Beside what they describe, so that it is known which are installed.
    for (name, pin) in PINS.iter().zip(pins) {
        fs::write(modules.join(name), pin).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}

/// Installs what the project's own manifest lists, if it is not there.
fn install_dependencies(project: &Project, say: &dyn Fn(&str)) -> Result<(), Error> {
    let manifest = fs::read_to_string(project.folder.join("package.json"))?;
    let manifest: Value = serde_json::from_str(&manifest).context("reading package.json")?;
    let wanted = ["dependencies", "devDependencies"]
        .into_iter()
        .filter_map(|kind| manifest[kind].as_object())
        .flat_map(|packages| packages.keys());
    let modules = project.folder.join("node_modules");
    // The SDK takes the place of these.
    let mut missing = wanted
        .filter(|name| !matches!(name.as_str(), "@dapr/dapr" | "@berth/dapr"))
        .filter(|name| !modules.join(name).is_dir());
    if missing.next().is_none() {
        return Ok(());
    }
    say("installing the project's dependencies");
    let locked = project.folder.join("package-lock.json").is_file();
    npm(&project.folder, if locked { "ci" } else { "install" })
}

/// Without install scripts: what they compile is of no use in a guest.
fn npm(folder: &Path, command: &str) -> Result<(), Error> {
    let mut npm = Command::new("npm");
    npm.current_dir(folder).arg(command).args([
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    tool::run_quietly(&mut npm)
}

/// Checks types and makes the component, both at once.
fn make(project: &Project, entry: &Path, tools: &Path) -> Result<Said, Error> {
    let check = check(project, entry, tools)?;
    let mut build = component(project, entry, tools)?;
    let stdout = build.stdout.take().context("the build has no output")?;
    let hearing = thread::spawn(move || Said::of(stdout));
    let types = check
        .wait_with_output()
        .context("waiting for the type check")?;
    eprint_bytes(&types.stderr);
    if !types.status.success() {
        // Nobody wants the guest of a wrong program.
        let _ = build.kill();
        let _ = build.wait();
        return Err(Error::Compiler { tool: "TypeScript" });
    }
    let done = build.wait().context("waiting for the build")?.success();
    let said = hearing.join().unwrap_or_default();
    if !done {
        return Err(refused(said));
    }
    install(project)?;
    Ok(said)
}

/// A program that runs wrong while it is built has said why, else esbuild has.
fn refused(said: Said) -> Error {
    match said.error {
        Some(message) => Error::wrong(
            message,
            "the modules of a guest are run while it is built; what is above is what they did",
        ),
        None => Error::Compiler { tool: "esbuild" },
    }
}

/// Renamed into place, so that a running host never sees half a guest, nor one that has errors.
fn install(project: &Project) -> Result<(), Error> {
    let output = &project.output;
    fs::rename(draft(output), output).with_context(|| format!("writing {}", output.display()))?;
    Ok(())
}

/// What `build.mjs` and `serve.mjs` are told.
fn options(project: &Project, entry: &Path) -> Value {
    json!({
        "project": project.folder,
        "entry": entry,
        "output": project.output,
        "work": project.work(),
        "colours": project.colours,
    })
}

fn component(project: &Project, entry: &Path, tools: &Path) -> Result<Child, Error> {
    let options = options(project, entry);
    let mut build = Command::new("node");
    build
        .current_dir(&project.folder)
        .arg(tools.join("sdk/build/build.mjs"))
        .arg(options.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Ok(build.spawn().context("running node")?)
}

/// Where the build leaves the component.
fn draft(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".draft");
    PathBuf::from(name)
}

fn check(project: &Project, entry: &Path, tools: &Path) -> Result<Child, Error> {
    let mut check = Command::new("node");
    check
        .current_dir(&project.folder)
        .arg(tools.join("sdk/build/check.mjs"))
        .arg(&project.folder)
        .arg(entry)
        .arg(if project.colours { "colours" } else { "plain" });
    let child = check
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    Ok(child.context("running node")?)
}
