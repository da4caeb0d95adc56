//! Which language a folder is written in, and what its manifest says of the guest.

use crate::{Error, Request, WORK};
use anyhow::Context;
use serde::Deserialize;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// Settings of projects whose languages have no place for them.
const SETTINGS: &str = "berth.toml";

/// A language with a toolchain that makes components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// JavaScript and TypeScript: `package.json`.
    JavaScript,
    /// Rust: `Cargo.toml`.
    Rust,
    /// Python: `pyproject.toml`.
    Python,
    /// C: `berth.toml`.
    C,
    /// Go: `go.mod`, and a `berth.toml` for settings.
    Go,
}

impl Language {
    /// Every one of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::JavaScript,
        Self::Rust,
        Self::Python,
        Self::C,
        Self::Go,
    ];

    /// The file that describes a project.
    #[must_use]
    pub fn manifest(self) -> &'static str {
        match self {
            Self::JavaScript => "package.json",
            Self::Rust => "Cargo.toml",
            Self::Python => "pyproject.toml",
            Self::C => SETTINGS,
            Self::Go => "go.mod",
        }
    }

    /// What `--lang` and the folder of its templates call it.
    pub(crate) fn short_name(self) -> &'static str {
        match self {
            Self::JavaScript => "ts",
            Self::Rust => "rust",
            Self::Python => "python",
            Self::C => "c",
            Self::Go => "go",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JavaScript => "JavaScript",
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::C => "C",
            Self::Go => "Go",
        })
    }
}

/// What a manifest says of the guest: `"berth": {...}` in package.json, `[package.metadata.berth]` in Cargo.toml,
/// `[tool.berth]` in pyproject.toml, the whole of berth.toml, which may lie beside a
/// go.mod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The module with which the program begins: a file, in Python a module.
    pub entry: Option<String>,
    /// Where the guest goes, from the folder of the manifest.
    pub output: Option<PathBuf>,
    /// The WIT world, of Python.
    pub world: Option<String>,
    /// What the guest offers, of C.
    pub offers: Option<Vec<String>>,
}

/// A folder that holds a guest's source.
#[derive(Debug)]
pub struct Project {
    pub language: Language,
    /// Absolute.
    pub folder: PathBuf,
    pub name: String,
    pub settings: Settings,
    /// Absolute path of the guest.
    pub output: PathBuf,
    pub tools: PathBuf,
    pub colours: bool,
    pub force: bool,
}

impl Project {
    /// Looks at the folder.
    pub fn open(request: &Request) -> Result<Self, Error> {
        let folder = fs::canonicalize(&request.project).map_err(|error| {
            Error::wrong(
                format!("no project in {}: {error}", request.project.display()),
                "name the folder of a project: berth build DIR",
            )
        })?;
        let language = match request.language {
            Some(language) => language,
            None => detect(&folder)?,
        };
        let (name, settings) = manifest(&folder, language)?;
        let output = match &request.output {
            Some(output) => std::path::absolute(output).context("making the output absolute")?,
            None => folder.join(
                settings
                    .output
                    .clone()
                    .unwrap_or_else(|| PathBuf::from(format!("{name}.wasm"))),
            ),
        };
        let tools = match &request.tools {
            Some(tools) => std::path::absolute(tools).context("making the tools' path absolute")?,
            None => folder.join(WORK).join("tools"),
        };
        Ok(Self {
            language,
            name,
            settings,
            output,
            tools,
            colours: request.colours,
            force: request.force,
            folder,
        })
    }

    /// A folder for what lies between source and guest.
    pub fn work(&self) -> PathBuf {
        self.folder.join(WORK).join("build")
    }
}

fn detect(folder: &Path) -> Result<Language, Error> {
    let found: Vec<_> = Language::ALL
        .into_iter()
        .filter(|language| folder.join(language.manifest()).is_file())
        .collect();
    match found.as_slice() {
        [language] => Ok(*language),
        // The settings of a project in Go.
        [Language::C, Language::Go] => Ok(Language::Go),
        [] => Err(Error::wrong(
            format!("no project in {}", folder.display()),
            "a project has a package.json (JavaScript, TypeScript), a Cargo.toml (Rust), a pyproject.toml (Python), a go.mod (Go) or a berth.toml (C)",
        )),
        [first, second, ..] => Err(Error::wrong(
            format!(
                "{} has a {} and a {}",
                folder.display(),
                first.manifest(),
                second.manifest()
            ),
            "say which it is: --lang ts|rust|python|go|c",
        )),
    }
}

fn manifest(folder: &Path, language: Language) -> Result<(String, Settings), Error> {
    let path = folder.join(language.manifest());
    let text = fs::read_to_string(&path).map_err(|error| {
        Error::wrong(
            format!("no {}: {error}", path.display()),
            format!("a {language} project has one"),
        )
    })?;
    let read = match language {
        Language::JavaScript => package_json(&text),
        Language::Rust => toml::from_str(&text)
            .map_err(Into::into)
            .and_then(cargo_toml),
        Language::Python => toml::from_str(&text)
            .map_err(Into::into)
            .and_then(pyproject_toml),
        Language::C => toml::from_str(&text)
            .map_err(Into::into)
            .and_then(berth_toml),
        Language::Go => go_mod(&text, folder),
    };
    let (name, settings) = read.map_err(|error: anyhow::Error| {
        Error::wrong(
            format!("{}: {error:#}", path.display()),
            "the settings of berth are `entry`, `output`, `world` and `offers`",
        )
    })?;
    let of_folder = || {
        folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let name = name
        .or_else(of_folder)
        .unwrap_or_else(|| "guest".to_owned());
    Ok((name, settings))
}

fn package_json(text: &str) -> anyhow::Result<(Option<String>, Settings)> {
    #[derive(Deserialize)]
    struct Package {
        name: Option<String>,
        #[serde(default)]
        berth: Settings,
    }
    let package: Package = serde_json::from_str(text)?;
    // `@scope/name` is a folder and a file elsewhere.
    let name = package
        .name
        .map(|name| name.rsplit('/').next().unwrap_or_default().to_owned());
    Ok((name, package.berth))
}

fn cargo_toml(manifest: toml::Table) -> anyhow::Result<(Option<String>, Settings)> {
    let package = manifest.get("package");
    let name = package.and_then(|package| package.get("name")?.as_str());
    let settings = package.and_then(|package| package.get("metadata")?.get("berth"));
    Ok((name.map(str::to_owned), settings_of(settings)?))
}

fn pyproject_toml(manifest: toml::Table) -> anyhow::Result<(Option<String>, Settings)> {
    let name = manifest
        .get("project")
        .and_then(|project| project.get("name")?.as_str());
    let settings = manifest.get("tool").and_then(|tool| tool.get("berth"));
    Ok((name.map(str::to_owned), settings_of(settings)?))
}

fn berth_toml(mut manifest: toml::Table) -> anyhow::Result<(Option<String>, Settings)> {
    let name = manifest.remove("name");
    let name = name
        .as_ref()
        .and_then(toml::Value::as_str)
        .map(str::to_owned);
    Ok((name, manifest.try_into()?))
}

/// The last part of the module's path is the name, unless there are settings that say another.
fn go_mod(text: &str, folder: &Path) -> anyhow::Result<(Option<String>, Settings)> {
    let module = text.lines().find_map(|line| line.strip_prefix("module "));
    let module = module.map(|path| path.trim().trim_matches('"'));
    let own = module.map(|path| path.rsplit('/').next().unwrap_or_default().to_owned());
    let settings = folder.join(SETTINGS);
    if !settings.is_file() {
        return Ok((own, Settings::default()));
    }
    let read = toml::from_str(&fs::read_to_string(&settings)?).context(SETTINGS)?;
    let (name, settings) = berth_toml(read).context(SETTINGS)?;
    Ok((name.or(own), settings))
}

fn settings_of(table: Option<&toml::Value>) -> anyhow::Result<Settings> {
    match table {
        Some(table) => Ok(table.clone().try_into()?),
        None => Ok(Settings::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Project, Error>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let request = Request {
            project: folder.path().to_owned(),
            language: None,
            output: None,
            tools: None,
            colours: false,
            force: false,
        };
        let project = Project::open(&request);
        (folder, project)
    }

    #[test]
    fn a_manifest_says_language_name_and_output() {
        let cases = [
            ("package.json", r#"{"name": "@shop/orders"}"#, "orders.wasm"),
            (
                "package.json",
                r#"{"name": "x", "berth": {"output": "out/y.wasm"}}"#,
                "out/y.wasm",
            ),
            ("Cargo.toml", "[package]\nname = 'orders'\n", "orders.wasm"),
            (
                "pyproject.toml",
                "[project]\nname = 'a'\n[tool.berth]\noutput = 'b.wasm'\n",
                "b.wasm",
            ),
            ("berth.toml", "name = 'c'\noffers = ['http']\n", "c.wasm"),
            ("go.mod", "module example.org/tea\n\ngo 1.24\n", "tea.wasm"),
        ];
        for (manifest, content, output) in cases {
            let (_folder, project) = open(&[(manifest, content)]);
            let project = project.unwrap();
            assert_eq!(project.language.manifest(), manifest);
            assert_eq!(project.output, project.folder.join(output), "{content}");
        }
    }

    #[test]
    fn settings_lie_beside_a_go_mod() {
        let (_folder, project) = open(&[
            ("go.mod", "module tea\n"),
            ("berth.toml", "output = 'apps/tea.wasm'\n"),
        ]);
        let project = project.unwrap();
        assert_eq!(project.language, Language::Go);
        assert_eq!(project.output, project.folder.join("apps/tea.wasm"));
    }

    #[test]
    fn what_is_no_project_or_two_is_refused_with_what_to_do() {
        let (_folder, none) = open(&[("app.rs", "")]);
        assert!(matches!(none, Err(Error::Wrong { hint, .. }) if hint.contains("package.json")));
        let (_folder, two) = open(&[("package.json", "{}"), ("Cargo.toml", "")]);
        assert!(matches!(two, Err(Error::Wrong { hint, .. }) if hint.contains("--lang")));
    }

    #[test]
    fn a_misspelt_setting_is_named_with_its_file() {
        let (_folder, wrong) = open(&[("package.json", r#"{"berth": {"entri": "x.ts"}}"#)]);
        let message = wrong.unwrap_err().to_string();
        assert!(
            message.contains("package.json") && message.contains("entri"),
            "{message}"
        );
    }
}
