//! C: bindings by wit-bindgen, compiled by clang with wasi-libc, made a component by wit-component.

use crate::{
    Built, Error, WORK, carried::unpack_sdk, component, project::Project, stamp::Stamp, tool,
};
use anyhow::Context;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wit_bindgen_core::{
    Files,
    wit_parser::{Resolve, WorldId},
};

/// Where the SDK lies in the binary, and below the folder `.berth` of a project.
const SDK: &str = "wit/sdk/c";
const TARGET: &str = "--target=wasm32-wasi";
const SOURCES: &str = "src";
/// What a guest may list under `offers`: what it exports, besides what it then imports.
const OFFERS: [(&str, &str); 3] = [
    (
        "http",
        "import wasi:http/types@0.2.12; export wasi:http/incoming-handler@0.2.12;",
    ),
    (
        "subscriptions",
        "export berth:pubsub/subscriber@0.1.0; export berth:pubsub/subscriptions@0.1.0;",
    ),
    (
        "workflows",
        "import berth:workflow/client@0.1.0; import berth:workflow/context@0.1.0; export berth:workflow/workflows@0.1.0; \
         export berth:workflow/activities@0.1.0; export berth:workflow/registry@0.1.0;",
    ),
];
/// What compiling needs, by what Debian calls it.
const PACKAGES: &str = "apt-get install clang lld wasi-libc libclang-rt-dev-wasm32";

/// Builds the project, unless nothing has changed.
pub fn build(project: &Project, _say: &dyn Fn(&str)) -> Result<Built, Error> {
    let offers = offers(project)?;
    let note = project.work().join("made-from.json");
    let made_by = format!(
        "{} {} {}",
        crate::carried::version(),
        offers.join(" "),
        project.output.display()
    );
    if !project.force
        && let Some(stamp) = Stamp::current(&note, &made_by, &project.output)
    {
        return Ok(Built::of(project, stamp, true));
    }
    require_compiler()?;
    let berth = project.folder.join(WORK);
    unpack_sdk(SDK, &berth)?;
    let generated = project.work().join("c");
    let bindings = generate(&berth.join("wit"), &generated, &offers)?;
    let sources = sources(&project.folder.join(SOURCES))?;
    let core = generated.join("core.wasm");
    let sdk = berth.join(SDK);
    let mut clang = Command::new("clang");
    clang
        .current_dir(&project.folder)
        .args([
            TARGET,
            "-mexec-model=reactor",
            "-Os",
            "-std=gnu17",
            "-Wall",
            "-Wextra",
            // What C99 forbade, and a linker would say without a place.
            "-Werror=implicit-function-declaration",
        ])
        .arg(if project.colours {
            "-fcolor-diagnostics"
        } else {
            "-fno-color-diagnostics"
        })
        .args(
            offers
                .iter()
                .map(|offer| format!("-DBERTH_OFFERS_{}", offer.to_uppercase())),
        )
        .arg("-I")
        .arg(&sdk)
        .arg("-isystem")
        .arg(&generated)
        .args(&sources)
        .args(files(&sdk, "c")?)
        .args(bindings)
        .arg("-o")
        .arg(&core);
    if !tool::compile(&mut clang, |_| {})? {
        return Err(Error::Compiler { tool: "clang" });
    }
    component::install(&component::encode(&fs::read(&core)?)?, &project.output)?;
    let mut stamp = Stamp::of(made_by, inputs(project, sources)?);
    stamp.offers = offers.iter().map(|offer| (*offer).to_owned()).collect();
    stamp.write(&note)?;
    Ok(Built::of(project, stamp, false))
}

/// What the manifest says that the guest offers, each once and in our order.
fn offers(project: &Project) -> Result<Vec<&'static str>, Error> {
    let manifest = project.folder.join(project.language.manifest());
    let known = OFFERS.map(|(name, _)| name);
    let hint = format!("`offers` lists what the guest has: {}", known.join(", "));
    let wanted = project.settings.offers.as_deref().unwrap_or_default();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        let message = format!("{}: a guest cannot offer `{unknown}`", manifest.display());
        return Err(Error::wrong(message, hint));
    }
    if wanted.is_empty() {
        let message = format!("{}: the guest offers nothing", manifest.display());
        return Err(Error::wrong(message, hint));
    }
    let listed = known
        .into_iter()
        .filter(|name| wanted.iter().any(|wanted| wanted == name));
    Ok(listed.collect())
}

/// A program with the C library must link.
pub fn require_compiler() -> Result<(), Error> {
    let missing = |what: &str| {
        let hint =
            format!("install clang, lld, wasi-libc and compiler-rt for Wasm (Debian: {PACKAGES})");
        Error::wrong(format!("{what}, which a guest in C is built with"), hint)
    };
    if !tool::works(Command::new("clang").arg("--version")) {
        return Err(missing("no `clang` on the PATH"));
    }
    if !tool::works(Command::new("wasm-ld").arg("--version")) {
        return Err(missing("no `wasm-ld` on the PATH"));
    }
    for (asked, what) in [
        ("-print-file-name=crt1-reactor.o", "C library"),
        ("-print-libgcc-file-name", "compiler-rt"),
    ] {
        let answer = Command::new("clang").args([TARGET, asked]).output();
        let answer = answer.context("asking clang where its files are")?;
        // Of a file that it does not find clang gives the bare name, or where it would be.
        let file = String::from_utf8_lossy(&answer.stdout);
        if !Path::new(file.trim()).is_absolute() || !Path::new(file.trim()).is_file() {
            return Err(missing(&format!("clang finds no {what} for wasm32-wasi")));
        }
    }
    Ok(())
}

/// Writes the bindings and returns what has to be compiled or linked.
fn generate(wit: &Path, to: &Path, offers: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let (mut resolve, world) = world(wit, offers)?;
    let mut files = Files::default();
    let generated =
        wit_bindgen_c::Opts::default()
            .build()
            .generate(&mut resolve, world, &mut files);
    generated.context("generating the bindings")?;
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    let mut inputs = Vec::new();
    for (name, content) in files.iter() {
        let path = to.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        if !name.ends_with(".h") {
            inputs.push(path);
        }
    }
    Ok(inputs)
}

fn world(wit: &Path, offers: &[&str]) -> anyhow::Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    resolve.push_path(wit)?;
    let offered = OFFERS.iter().filter(|(name, _)| offers.contains(name));
    let items: String = offered.map(|(_, items)| *items).collect();
    let text =
        format!("package berth:c;\nworld guest {{ include berth:guest/blocks@0.1.0; {items} }}");
    let package = resolve.push_str("guest.wit", &text)?;
    let world = resolve.select_world(&[package], Some("guest"))?;
    Ok((resolve, world))
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let found = if folder.is_dir() {
        files(folder, "c")?
    } else {
        Vec::new()
    };
    if found.is_empty() {
        let message = format!("no C files in {}", folder.display());
        return Err(Error::wrong(
            message,
            "the program's files lie in src, such as src/app.c",
        ));
    }
    Ok(found)
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|of_file| of_file == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The folder too: a new file in it changes it.
fn inputs(project: &Project, sources: Vec<PathBuf>) -> Result<Vec<PathBuf>, Error> {
    let folder = project.folder.join(SOURCES);
    let mut inputs = sources;
    inputs.extend(files(&folder, "h")?);
    inputs.push(folder);
    inputs.push(project.folder.join(project.language.manifest()));
    Ok(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    fn project(manifest: &str) -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("berth.toml"), manifest).unwrap();
        let request = Request {
            project: folder.path().to_owned(),
            language: None,
            output: None,
            tools: None,
            colours: false,
            force: false,
        };
        let project = Project::open(&request).unwrap();
        (folder, project)
    }

    #[test]
    fn a_guest_exports_what_it_offers_and_no_more() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let exports = |offers: &[&str]| {
            let (resolve, world) = world(&wit, offers).unwrap();
            resolve.worlds[world].exports.len()
        };
        assert_eq!(exports(&["http"]), 1);
        assert_eq!(exports(&["subscriptions"]), 2);
        assert_eq!(exports(&["http", "subscriptions", "workflows"]), 6);
    }

    #[test]
    fn what_a_guest_cannot_offer_is_named_with_what_it_can() {
        for (manifest, said) in [
            ("name = 'a'\noffers = ['http', 'htpp']", "`htpp`"),
            ("name = 'a'", "offers nothing"),
        ] {
            let (_folder, project) = project(manifest);
            let Err(Error::Wrong { message, hint }) = offers(&project) else {
                panic!("{manifest} is no manifest");
            };
            assert!(
                message.contains("berth.toml") && message.contains(said),
                "{message}"
            );
            assert!(hint.contains("http, subscriptions, workflows"), "{hint}");
        }
    }
}
