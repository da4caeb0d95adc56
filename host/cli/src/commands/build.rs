//! `berth build`

use super::json;
use crate::{args::Output, failure::Failure, schemas, ui};
use anyhow::Context;
use berth_toolchains::{Built, Error, Language, Request};
use clap::ValueEnum;
use serde::Serialize;
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Flags of `berth build`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the project: with a package.json, a Cargo.toml, a pyproject.toml, a go.mod or a berth.toml
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Language of the project, where the folder has manifests of several
    #[arg(short, long, value_enum, value_name = "LANGUAGE")]
    lang: Option<Lang>,
    /// Where the guest goes; by default as the manifest says, else NAME.wasm in the folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Build even if nothing has changed
    #[arg(long)]
    force: bool,
    /// Where toolchains are installed; by default in the project's folder .berth
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_TOOLS_DIR",
        hide_env_values = true
    )]
    tools_dir: Option<PathBuf>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

/// `--lang`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// TypeScript and JavaScript
    #[value(name = "ts", aliases = ["js", "typescript", "javascript"])]
    Js,
    Rust,
    Python,
    C,
    Go,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Js => Self::JavaScript,
            Lang::Rust => Self::Rust,
            Lang::Python => Self::Python,
            Lang::C => Self::C,
            Lang::Go => Self::Go,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    guest: &'a Path,
    language: String,
    unchanged: bool,
    size: u64,
    milliseconds: u128,
    offers: &'a [String],
    warnings: &'a [String],
}

/// Builds, and says what came of it.
pub fn execute(args: &Args) -> Result<(), Failure> {
    let started = Instant::now();
    let request = Request {
        project: args.project.clone(),
        language: args.lang.map(Into::into),
        output: args.out.clone(),
        tools: args.tools_dir.clone(),
        colours: ui::colours(),
        force: args.force,
    };
    let built = berth_toolchains::build(&request, &|step| ui::note(step)).map_err(failure)?;
    schemas::write(&args.project)?;
    let size = fs::metadata(&built.output)
        .context("looking at the guest")?
        .len();
    let took = started.elapsed();
    match args.output {
        Output::Json => ui::out(&json(&Report {
            guest: &built.output,
            language: built.language.to_string(),
            unchanged: built.unchanged,
            size,
            milliseconds: took.as_millis(),
            offers: &built.offers,
            warnings: &built.warnings,
        })),
        Output::Text => text(&built, size, took),
    }
    Ok(())
}

fn text(built: &Built, size: u64, took: Duration) {
    for warning in &built.warnings {
        ui::warning(warning);
    }
    for offer in &built.offers {
        ui::note(&format!("  {offer}"));
    }
    let guest = shown(&built.output);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a size in megabytes, for people"
    )]
    let megabytes = size as f64 / 1e6;
    ui::out(&if built.unchanged {
        format!("{guest}: nothing has changed")
    } else {
        format!("{guest}: {megabytes:.1} MB in {:.1} s", took.as_secs_f64())
    });
}

/// A path as short as it can be read from where the command runs.
fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// What a project or a machine is wrong in.
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Wrong { message, hint } => Failure::input_text(message).hint(hint),
        Error::Compiler { .. } => Failure::input_text(error),
        Error::Other(error) => error.into(),
    }
}
