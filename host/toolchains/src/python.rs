//! Python: the SDK takes the place of Dapr's, and componentize-py makes the component, in an environment of its own.

use crate::{
    Built, Error, WORK,
    carried::{self, unpack},
    find::may_hold_source,
    project::Project,
    said::Said,
    stamp::Stamp,
    tool,
};
use anyhow::Context;
use serde_json::json;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where the SDK lies in the binary.
const SDK: &str = "wit/sdk/python";
const PIN: &str = "componentize-py==0.25.1";
/// Modules with which a program begins if its manifest does not say.
const ENTRIES: [&str; 2] = ["app", "main"];
/// Packages in whose place the SDK stands, and what comes with them: compiled code that a guest cannot run.
const REPLACED: [&str; 5] = ["dapr", "grpcio", "grpcio-status", "protobuf", "berth-dapr"];

/// Builds the project, unless nothing has changed.
pub fn build(project: &Project, say: &dyn Fn(&str)) -> Result<Built, Error> {
    let module = entry(project)?;
    let world = project.settings.world.as_deref();
    let made_by = format!(
        "{} {PIN} {module} {world:?} {}",
        carried::version(),
        project.output.display()
    );
    let note = project.work().join("made-from.json");
    if !project.force
        && let Some(stamp) = Stamp::current(&note, &made_by, &project.output)
    {
        return Ok(Built::of(project, stamp, true));
    }
    let tools = install_tools(&project.tools, say)?;
    show_sdk(project, &tools)?;
    let packages = install_dependencies(project, &tools, say)?;
    let said = make(project, &module, &tools, &packages)?;
    let mut inputs = vec![project.folder.join("pyproject.toml")];
    sources(&project.folder, &mut inputs)?;
    let mut stamp = Stamp::of(made_by, inputs);
    stamp.warnings = said.warnings;
    stamp.offers = said.offers;
    stamp.write(&note)?;
    Ok(Built::of(project, stamp, false))
}

/// The module with which the program begins, such as `app` or `shop.app`.
fn entry(project: &Project) -> Result<String, Error> {
    let is_module = |name: &str| {
        let path = project.folder.join(name.replace('.', "/"));
        path.with_extension("py").is_file() || path.join("__init__.py").is_file()
    };
    let Some(entry) = &project.settings.entry else {
        let found = ENTRIES.into_iter().find(|name| is_module(name));
        return found.map(str::to_owned).ok_or_else(|| {
            Error::wrong(
                format!("no program in {}", project.folder.display()),
                "it begins with app.py, or with what pyproject.toml says: [tool.berth] entry = \"server\"",
            )
        });
    };
    let module = entry.trim_end_matches(".py").replace('/', ".");
    if is_module(&module) {
        return Ok(module);
    }
    Err(Error::wrong(
        format!(
            "{}: `entry` of [tool.berth] is `{entry}`, but there is no such module",
            project.folder.join("pyproject.toml").display()
        ),
        "name the module with which the program begins, such as \"server\" for server.py",
    ))
}

fn make(project: &Project, module: &str, tools: &Path, packages: &Path) -> Result<Said, Error> {
    let options = json!({
        "project": project.folder,
        "module": module,
        "world": project.settings.world,
        "output": project.output,
        "packages": packages,
        "work": project.work(),
        "tools": tools,
    });
    let mut build = Command::new(python(tools))
        .current_dir(&project.folder)
        .arg(tools.join("sdk/build/build.py"))
        .arg(options.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("running python")?;
    let said = Said::of(build.stdout.take().context("the build has no output")?);
    if !build.wait().context("waiting for the build")?.success() {
        return Err(match said.error {
            Some(message) => Error::wrong(
                message,
                "the modules of a guest are run while it is built; what is above is what they did",
            ),
            None => Error::Compiler {
                tool: "componentize-py",
            },
        });
    }
    // Renamed into place, so that a running host never sees half a guest.
    let mut draft = project.output.as_os_str().to_owned();
    draft.push(".draft");
    fs::rename(draft, &project.output)
        .with_context(|| format!("writing {}", project.output.display()))?;
    Ok(said)
}

/// Python, of the environment that the tools of all versions share.
fn python(tools: &Path) -> PathBuf {
    tools.with_file_name("venv").join("bin/python")
}

/// Installs the pinned tools, and beside them the SDK of this version, the WIT packages, and bindings that do nothing.
pub fn install_tools(tools: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let folder = tools.join("python");
    // Versions lie side by side: another may be at work.
    let ours = folder.join(carried::version());
    if ours.is_dir() {
        return Ok(ours);
    }
    let _lock = tool::lock(&folder)?;
    install_pinned(&folder, say)?;
    let draft = folder.join(format!("{}.new", carried::version()));
    unpack(SDK, &draft.join("sdk"), str::to_owned)?;
    unpack("wit/deps", &draft.join("wit/deps"), str::to_owned)?;
    fs::write(draft.join("wit/berth.wit"), carried::file("wit/berth.wit"))?;
    write_stubs(&folder, &draft)?;
    gather(&draft)?;
    if !ours.is_dir() {
        fs::rename(&draft, &ours).with_context(|| format!("making {}", ours.display()))?;
    }
    Ok(ours)
}

/// Where editors and tests of a project find the SDK.
fn show_sdk(project: &Project, tools: &Path) -> Result<(), Error> {
    let (link, folder) = (project.folder.join(WORK).join("python"), tools.join("site"));
    if fs::read_link(&link).is_ok_and(|there| there == folder) {
        return Ok(());
    }
    fs::create_dir_all(project.folder.join(WORK)).context("making the folder .berth")?;
    let _ = fs::remove_file(&link);
    symlink(&folder, &link).with_context(|| format!("making {}", link.display()))?;
    Ok(())
}

/// One folder with all that a program imports of the SDK: the surface, its shims, and the bindings that do nothing.
fn gather(draft: &Path) -> Result<(), Error> {
    let site = draft.join("site");
    fs::create_dir_all(&site)?;
    for part in ["sdk/src", "sdk/shims", "stubs"] {
        for entry in fs::read_dir(draft.join(part))? {
            let name = entry?.file_name();
            symlink(Path::new("..").join(part).join(&name), site.join(name))?;
        }
    }
    Ok(())
}

/// Bindings of every interface that do nothing: over them a program is run to see what it has.
fn write_stubs(folder: &Path, draft: &Path) -> Result<(), Error> {
    let wit = draft.join("stubs-wit");
    unpack("wit/deps", &wit.join("deps"), str::to_owned)?;
    let world = carried::file("wit/sdk/python/build/stubs.wit");
    fs::write(wit.join("stubs.wit"), world)?;
    let mut bindings = Command::new(folder.join("venv/bin/componentize-py"));
    bindings
        .args(["--quiet", "--full-names", "--wit-path"])
        .arg(&wit)
        .args(["--world", "berth:stubs/everything", "bindings"])
        .arg(draft.join("stubs"));
    tool::run_quietly(&mut bindings)
}

fn install_pinned(folder: &Path, say: &dyn Fn(&str)) -> Result<(), Error> {
    let note = folder.join("venv/made-from");
    if fs::read_to_string(&note).is_ok_and(|there| there == PIN) {
        return Ok(());
    }
    say("installing the Python toolchain (once)");
    create_environment(folder)?;
    pip(&folder.join("venv/bin/python"), |pip| pip.arg(PIN))?;
    Ok(fs::write(&note, PIN)?)
}

/// Makes an environment in the folder `venv` of a folder of tools.
pub fn create_environment(folder: &Path) -> Result<(), Error> {
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(folder.join("venv"));
    tool::run_quietly(&mut venv).map_err(|error| {
        Error::wrong(
            format!("no environment for Python tools could be made: {error}"),
            "install Python 3.10 or newer with venv (Debian: apt-get install python3 python3-venv)",
        )
    })
}

/// Installs something into the environment of a Python.
pub fn pip(python: &Path, what: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), Error> {
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    tool::run_quietly(what(&mut pip))
}

/// Installs what the project's own manifest lists, if it is not there, and gives the folder.
fn install_dependencies(
    project: &Project,
    tools: &Path,
    say: &dyn Fn(&str),
) -> Result<PathBuf, Error> {
    let folder = project.work().join("packages");
    let manifest = fs::read_to_string(project.folder.join("pyproject.toml"))?;
    let wanted = dependencies(&manifest)?;
    let note = folder.join("made-from");
    let made_from = wanted.join("\n");
    if wanted.is_empty() || fs::read_to_string(&note).is_ok_and(|there| there == made_from) {
        return Ok(folder);
    }
    say("installing the project's dependencies");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    pip(&python(tools), |pip| {
        pip.arg("--target").arg(&folder).args(&wanted)
    })?;
    fs::write(&note, made_from)?;
    Ok(folder)
}

/// `[project] dependencies`, without those that the SDK replaces.
fn dependencies(manifest: &str) -> Result<Vec<String>, Error> {
    let manifest: toml::Table = toml::from_str(manifest).context("reading pyproject.toml")?;
    let listed = manifest
        .get("project")
        .and_then(|project| project.get("dependencies")?.as_array());
    let names = listed
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
        .filter(|requirement| !is_replaced(requirement));
    Ok(names.map(str::to_owned).collect())
}

fn is_replaced(requirement: &str) -> bool {
    let name: String = requirement
        .trim()
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || "-_.".contains(*letter))
        .map(|letter| match letter {
            '_' | '.' => '-',
            letter => letter.to_ascii_lowercase(),
        })
        .collect();
    REPLACED.contains(&name.as_str()) || name.starts_with("dapr-ext-")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && may_hold_source(&path) {
            // A folder too: a new module in it changes it.
            found.push(path.clone());
            sources(&path, found)?;
        } else if path.extension().is_some_and(|own| own == "py") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_replaces_is_not_installed() {
        let manifest = "[project]\nname = 'x'\ndependencies = ['dapr>=1.14', 'dapr_ext_workflow', 'Flask ~= 3.0', \
                        'grpcio[x]', 'daprino']\n";
        assert_eq!(dependencies(manifest).unwrap(), ["Flask ~= 3.0", "daprino"]);
        assert!(dependencies("[project]\nname = 'x'\n").unwrap().is_empty());
    }
}
