//! `berth new`

use super::build::{Lang, failure};
use crate::{failure::Failure, schemas, ui};
use clap::ValueEnum;
use std::path::PathBuf;

/// Flags of `berth new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the project and of its app: a folder is made for it
    name: String,
    /// Language of the project
    #[arg(short, long, value_enum, value_name = "LANGUAGE")]
    lang: Lang,
    /// What it shows
    #[arg(short, long, value_enum, default_value_t, value_name = "TEMPLATE")]
    template: Template,
    /// Where its folder is made
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// `--template`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Template {
    /// Requests and state
    #[default]
    Http,
    /// Messages
    Subscriber,
    /// A workflow
    Workflow,
    /// All of it
    Full,
}

impl From<Template> for berth_toolchains::Template {
    fn from(template: Template) -> Self {
        match template {
            Template::Http => Self::Http,
            Template::Subscriber => Self::Subscriber,
            Template::Workflow => Self::Workflow,
            Template::Full => Self::Full,
        }
    }
}

/// Makes the project, and says what to do next.
pub fn execute(args: &Args) -> Result<(), Failure> {
    let template = args.template.into();
    let made = berth_toolchains::create(&args.dir, &args.name, args.lang.into(), template);
    let folder = made.map_err(failure)?;
    schemas::write(&folder)?;
    let folder = folder.strip_prefix(".").unwrap_or(&folder).display();
    ui::out(&format!(
        "{folder}: next, cd {folder} && berth build && berth run ."
    ));
    Ok(())
}
