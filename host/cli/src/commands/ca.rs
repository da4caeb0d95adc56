//! `berth ca`: the development CA, which vouches for the apps of your own hosts.

use super::json;
use crate::{
    args::{DEFAULT_DATA_DIR, Output},
    failure::Failure,
    host::{default_user_dir, development_ca},
    ui,
};
use berth_blocks::invocation::Target;
use berth_mesh::{CaSummary, CertificateError, DevelopmentCa, InvalidIdentity, TrustDomain};
use berth_resources::{AppId, Namespace};
use clap::Subcommand;
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Flags of `berth ca`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// What all of your hosts share; by default berth's folder in ~/.local/share
    #[arg(
        long,
        value_name = "DIR",
        env = "BERTH_USER_DIR",
        hide_env_values = true,
        global = true
    )]
    user_dir: Option<PathBuf>,
    /// Trust domain: the same for all hosts that call each other
    #[arg(long, value_name = "NAME", default_value = "public", global = true, value_parser = trust_domain)]
    trust_domain: TrustDomain,
    /// Form of the answer
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        value_name = "FORM",
        global = true
    )]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the CA if there is none yet, and say where it is; the first host does it by itself
    Init,
    /// Write a certificate of an app with its key: tls.crt, tls.key, ca.crt
    Issue {
        /// App ID
        app: AppId,
        /// Folder for the files, made if need be; --certificates reads a folder of such folders
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Namespace of the app
        #[arg(
            short,
            long,
            default_value_t,
            env = "NAMESPACE",
            hide_env_values = true
        )]
        namespace: Namespace,
        /// How long it is good
        #[arg(long, value_name = "DURATION", value_parser = super::run::duration)]
        valid_for: Option<Duration>,
    },
    /// Add a new root: trusted at once, signing after a minute; certificates of the one before stay good
    Rotate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: PathBuf,
    trust_domain: String,
    roots: usize,
    seconds_left: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    id: String,
    folder: PathBuf,
}

/// Does it and says what there is now.
pub fn execute(args: &Args) -> Result<(), Failure> {
    let user_dir = args.user_dir.clone();
    let user_dir = user_dir.unwrap_or_else(|| default_user_dir(Path::new(DEFAULT_DATA_DIR)));
    let life = match &args.action {
        Action::Issue { valid_for, .. } => *valid_for,
        _ => None,
    };
    let ca = development_ca(&user_dir, &args.trust_domain, life).map_err(unusable)?;
    match &args.action {
        Action::Init => tell(args, &ca.summary().map_err(unusable)?),
        Action::Rotate => tell(args, &ca.rotate().map_err(unusable)?),
        Action::Issue {
            app,
            namespace,
            folder,
            ..
        } => issue(
            args,
            &ca,
            &Target {
                namespace: namespace.clone(),
                app: app.clone(),
            },
            folder,
        )?,
    }
    Ok(())
}

fn issue(args: &Args, ca: &DevelopmentCa, app: &Target, folder: &Path) -> Result<(), Failure> {
    ca.issue_into(app, folder).map_err(unusable)?;
    let id = args.trust_domain.id_of(app).to_string();
    ui::out(&match args.output {
        Output::Json => json(&Issued {
            id,
            folder: folder.to_owned(),
        }),
        Output::Text => format!(
            "{id}\nwritten to {}: tls.crt, tls.key, ca.crt",
            folder.display()
        ),
    });
    Ok(())
}

fn tell(args: &Args, summary: &CaSummary) {
    let left = summary.not_after.duration_since(SystemTime::now());
    let report = Report {
        file: summary.file.clone(),
        trust_domain: args.trust_domain.to_string(),
        roots: summary.roots,
        seconds_left: left.unwrap_or_default().as_secs(),
    };
    ui::out(&match args.output {
        Output::Json => json(&report),
        Output::Text => format!(
            "{}\ntrust domain {}, {}, good for {} days",
            report.file.display(),
            report.trust_domain,
            ui::plural(report.roots, "root"),
            report.seconds_left / (24 * 3600),
        ),
    });
}

fn trust_domain(text: &str) -> Result<TrustDomain, InvalidIdentity> {
    text.parse()
}

fn unusable(error: CertificateError) -> Failure {
    Failure::from(anyhow::Error::from(error).context("the development CA"))
        .hint("choose a folder that you may write to with --user-dir")
}
