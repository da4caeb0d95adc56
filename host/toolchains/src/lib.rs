//! Builds guests: each language with its own tools, which are installed into the project where that is possible.
//!
//! - `project`: which language a folder is written in, and what its manifest says of the guest.
//! - `c`, `go`, `javascript`, `python`, `rust`: one file per language.
//! - `component`: from a module to a guest.
//! - `find`: which projects make the guests that somebody runs.
//! - `new`: new projects, from templates.
//! - `carried`: the SDKs and WIT packages that the binary brings with it.
//! - `said`: what the build of a program says of itself.
//! - `stamp`: what a guest was made from, so that nothing is built twice.
//! - `tool`: running a tool, and saying what is missing.

mod c;
mod carried;
mod component;
mod error;
mod find;
mod go;
mod javascript;
mod new;
mod project;
mod python;
mod rust;
mod said;
mod stamp;
mod tool;

pub use component::encode as encode_component;
pub use error::Error;
pub use find::{may_be_source, may_hold_source, project_for, project_of};
pub use new::{Template, create};
pub use project::Language;

use project::Project;
use stamp::Stamp;
use std::path::{Path, PathBuf};

/// Where tools and everything between source and guest go, in the project.
const WORK: &str = ".berth";

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Request {
    /// The folder of the project.
    pub project: PathBuf,
    /// Its language, where the folder does not say.
    pub language: Option<Language>,
    /// Where the guest goes; absent: as the project's manifest says, else `<name>.wasm` in the folder.
    pub output: Option<PathBuf>,
    /// Where toolchains are installed; absent: in the project.
    pub tools: Option<PathBuf>,
    /// Whether the tools shall write in colour.
    pub colours: bool,
    /// Build even if nothing has changed.
    pub force: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The guest.
    pub output: PathBuf,
    /// Its language.
    pub language: Language,
    /// Nothing had changed since it was built.
    pub unchanged: bool,
    /// What the program should be told of: it does something that a guest cannot do.
    pub warnings: Vec<String>,
    /// What the guest offers, one line each, where the toolchain tells.
    pub offers: Vec<String>,
    /// It is for the one who writes the program: [`build`] makes the one to deploy.
    pub for_development: bool,
}

impl Built {
    /// What is noted of a guest, said again.
    fn of(project: &Project, stamp: Stamp, unchanged: bool) -> Self {
        Self {
            output: project.output.clone(),
            language: project.language,
            unchanged,
            warnings: stamp.warnings,
            offers: stamp.offers,
            for_development: false,
        }
    }
}

/// Builds a guest. `say` is told of steps that take long.
///
/// # Errors
/// A tool is missing, or the program does not compile: its compiler has then said why.
pub fn build(request: &Request, say: &dyn Fn(&str)) -> Result<Built, Error> {
    let project = Project::open(request)?;
    match project.language {
        Language::JavaScript => javascript::build(&project, say),
        Language::Rust => rust::build(&project, say),
        Language::Python => python::build(&project, say),
        Language::C => c::build(&project, say),
        Language::Go => go::build(&project, say),
    }
}

/// Builds guests again and again, as fast as their languages allow. What it makes is for the one who writes the program: a
/// guest in Rust is larger and slower, one in JavaScript is interpreted anew in each instance, and for berth alone.
#[derive(Debug, Default)]
pub struct Workshop {
    javascript: javascript::Servers,
}

impl Workshop {
    /// As [`build`].
    ///
    /// # Errors
    /// As [`build`].
    pub fn build(&self, request: &Request, say: &dyn Fn(&str)) -> Result<Built, Error> {
        let project = Project::open(request)?;
        let built = match project.language {
            Language::JavaScript => javascript::build_script(&project, &self.javascript, say)?,
            Language::Rust => rust::build_quickly(&project, say)?,
            Language::Python | Language::C | Language::Go => return build(request, say),
        };
        Ok(Built {
            for_development: true,
            ..built
        })
    }
}

/// Installs what building a language needs into a folder, which several projects may share, and says where it is: the
/// folder of this version's SDK, of Rust its cargo, of Go its compiler.
///
/// # Errors
/// Something is missing that cannot be installed there.
pub fn install(language: Language, tools: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    match language {
        Language::JavaScript => javascript::install_tools(tools, say),
        Language::Rust => rust::cargo(tools, say),
        Language::Python => python::install_tools(tools, say),
        Language::C => c::require_compiler().map(|()| tools.to_owned()),
        Language::Go => go::compiler(tools, say),
    }
}
