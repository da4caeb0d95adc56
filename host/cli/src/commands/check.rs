//! `berth check`

use super::json;
use crate::{
    args::{CompileArgs, DEFAULT_DATA_DIR, Output},
    failure::Failure,
    host::{Documents, Sources, check_guests},
    registry::registry,
    ui,
};
use anyhow::Context;
use berth_blocks::registry::Registry;
use berth_resources::{Diagnostic, Namespace, Severity};
use berth_runtime::RuntimeOptions;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Flags of `berth check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders with documents, or guests
    #[arg(value_name = "DIR|GUEST.wasm", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Folder with Component and Subscription documents, which replace those of DIR with the same name
    #[arg(
        short = 'd',
        long,
        value_name = "PATH",
        visible_alias = "components-path"
    )]
    resources_path: Vec<PathBuf>,
    /// File with a Configuration, for the apps that name none
    #[arg(short, long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Namespace of documents that name none
    #[arg(
        short,
        long,
        default_value_t,
        env = "NAMESPACE",
        hide_env_values = true
    )]
    namespace: Namespace,
    /// Look at documents only: do not read and compile guests
    #[arg(long)]
    no_guests: bool,
    #[command(flatten)]
    compile: CompileArgs,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

#[derive(Serialize)]
struct Report<'a> {
    findings: &'a [Diagnostic],
}

/// Prints every finding; fails with an error among them.
pub fn execute(args: &Args) -> Result<(), Failure> {
    let mut sources = Sources::default();
    for path in &args.paths {
        sources.add(path, &args.namespace, None)?;
    }
    sources.add_flags(&args.resources_path, &args.config, &args.namespace);
    let registry = registry();
    let mut documents = Documents::read(&sources, &registry);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the async runtime")?;
    let found = runtime.block_on(deep(&documents, &registry, args));
    // A secret store that hangs has been given up: nobody waits for it.
    runtime.shutdown_background();
    documents.add(found?);
    let findings = &documents.findings;
    match args.output {
        Output::Json => ui::out(&json(&Report { findings })),
        Output::Text => text(&documents),
    }
    if documents.has_errors() {
        return Err(Failure::Reported);
    }
    Ok(())
}

/// What shows only when secrets are read and guests are loaded.
async fn deep(
    documents: &Documents,
    registry: &Registry,
    args: &Args,
) -> Result<Vec<Diagnostic>, Failure> {
    let mut found = documents.check_secrets(registry).await?;
    if !args.no_guests && !documents.has_errors() {
        found.extend(check_guests(documents, &args.guests()).await?);
    }
    Ok(found)
}

impl Args {
    /// Guests are compiled into the cache, so that a run that follows does not wait for it.
    fn guests(&self) -> RuntimeOptions {
        RuntimeOptions {
            cache_dir: self.compile.cache_dir(Path::new(DEFAULT_DATA_DIR)),
            instances: 4,
            compiler: self.compile.compiler(false),
        }
    }
}

fn text(documents: &Documents) {
    for finding in &documents.findings {
        ui::out(&ui::finding(finding));
    }
    let resources = &documents.resources;
    let errors = documents
        .findings
        .iter()
        .filter(|found| found.severity == Severity::Error);
    let verdict = if errors.count() == 0 {
        "fine"
    } else {
        "not fine"
    };
    ui::note(&format!(
        "{verdict}: {} ({}, {}, {})",
        ui::count(&documents.findings),
        ui::plural(resources.apps.len(), "app"),
        ui::plural(resources.components.len() - documents.defaults, "component"),
        ui::plural(resources.subscriptions.len(), "subscription"),
    ));
}
