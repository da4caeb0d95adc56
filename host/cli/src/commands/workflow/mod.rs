//! `berth workflow`: instances of a running host.

mod show;

use super::{json, payload};
use crate::{
    args::{DataArgs, HostArgs, Output},
    client::Client,
    failure::Failure,
    ui,
};
use berth_gateway::admin::reports::{
    WorkflowEventReport, WorkflowPageReport, WorkflowReport, WorkflowStartReport,
};
use clap::Subcommand;
use reqwest::{Method, RequestBuilder, header};
use std::time::Duration;

/// Events of one page of a history.
const EVENTS_PAGE: usize = 1_000;

/// Flags of `berth workflow`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start a workflow
    Run {
        /// App that has it
        app: String,
        /// Name of the workflow
        workflow: String,
        /// Instance ID; by default a UUID
        #[arg(short, long)]
        id: Option<String>,
        /// An instance that has the ID already is the answer
        #[arg(long, requires = "id")]
        idempotent: bool,
        /// Wait until it has ended, at most this long
        #[arg(short, long, value_name = "DURATION", value_parser = super::run::duration, num_args = 0..=1, default_missing_value = "1h")]
        wait: Option<Duration>,
        #[command(flatten)]
        input: DataArgs,
        #[command(flatten)]
        common: Common,
    },
    /// List instances, newest first
    List {
        /// Of this app only
        #[arg(short, long)]
        app: Option<String>,
        /// Of this workflow only
        #[arg(short, long)]
        workflow: Option<String>,
        /// In these statuses only: pending, running, suspended, stalled, completed, failed, canceled, terminated
        #[arg(short, long, value_name = "STATUS,...")]
        status: Option<String>,
        /// Whose ID begins like this
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
        /// What the page before named for the next one
        #[arg(long)]
        token: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Show an instance: where it stands, what went in and what came out
    Get {
        #[command(flatten)]
        instance: Instance,
        /// Wait until it has ended, at most this long
        #[arg(short, long, value_name = "DURATION", value_parser = super::run::duration, num_args = 0..=1, default_missing_value = "1h")]
        wait: Option<Duration>,
        #[command(flatten)]
        common: Common,
    },
    /// Show what an instance has done, event by event
    History {
        #[command(flatten)]
        instance: Instance,
        #[command(flatten)]
        common: Common,
    },
    /// Send an external event to an instance
    RaiseEvent {
        #[command(flatten)]
        instance: Instance,
        /// Name of the event
        event: String,
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        common: Common,
    },
    /// Let nothing more happen in an instance until it is resumed
    Suspend {
        #[command(flatten)]
        change: Change,
    },
    /// Let a suspended instance go on
    Resume {
        #[command(flatten)]
        change: Change,
    },
    /// Ask a workflow to cancel: what it waits for ends, and it can undo what it has done
    Cancel {
        #[command(flatten)]
        change: Change,
    },
    /// End an instance and its children at once
    Terminate {
        #[command(flatten)]
        change: Change,
    },
    /// Remove an instance that has ended, and its children
    Purge {
        #[command(flatten)]
        instance: Instance,
        /// Also if it still runs
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Start a new instance that goes another instance's way up to an event, and on from there anew
    Rerun {
        #[command(flatten)]
        instance: Instance,
        /// Number of the event, as the history shows it
        #[arg(default_value_t = 0)]
        event: u64,
        /// ID of the new instance; by default a UUID
        #[arg(long)]
        new_id: Option<String>,
        #[command(flatten)]
        input: DataArgs,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, clap::Args)]
struct Instance {
    /// App whose workflow it is
    app: String,
    /// Instance ID
    id: String,
}

#[derive(Debug, clap::Args)]
struct Change {
    #[command(flatten)]
    instance: Instance,
    /// Why, for people
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Namespace of the app, if it is not that of the host
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    host: HostArgs,
}

impl Common {
    fn request(
        &self,
        client: &Client,
        method: Method,
        segments: &[&str],
        query: &[(&str, Option<String>)],
    ) -> RequestBuilder {
        let namespace = [("namespace", self.namespace.clone())];
        let all = [&namespace[..], query].concat();
        let all: Vec<_> = all
            .iter()
            .filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?)))
            .collect();
        let path = [&["workflows"], segments].concat();
        client.request(method, &path).query(&all)
    }

    fn say<T: serde::Serialize>(&self, report: &T, text: impl FnOnce() -> String) {
        ui::out(&match self.host.output {
            Output::Json => json(report),
            Output::Text => text(),
        });
    }
}

pub async fn execute(args: &Args) -> Result<(), Failure> {
    match &args.action {
        Action::Run {
            app,
            workflow,
            id,
            idempotent,
            wait,
            input,
            common,
        } => {
            let client = Client::of(&common.host.data_dir)?;
            let query = [
                ("id", id.clone()),
                ("idempotent", idempotent.then(|| "true".to_owned())),
            ];
            let start = common.request(&client, Method::POST, &[app, workflow, "start"], &query);
            let started: WorkflowStartReport = client.report(with(start, input)?).await?;
            match wait {
                None => common.say(&started, || started.instance_id.clone()),
                Some(wait) => {
                    let found = look(&client, common, app, &started.instance_id, Some(*wait));
                    let found = found.await?;
                    common.say(&found, || show::sheet(&found));
                }
            }
            Ok(())
        }
        Action::List {
            app,
            workflow,
            status,
            prefix,
            limit,
            token,
            common,
        } => {
            let client = Client::of(&common.host.data_dir)?;
            let query = [
                ("app", app.clone()),
                ("workflow", workflow.clone()),
                ("status", status.clone()),
                ("prefix", prefix.clone()),
                ("limit", Some(limit.to_string())),
                ("token", token.clone()),
            ];
            let request = common.request(&client, Method::GET, &[], &query);
            let page: WorkflowPageReport = client.report(request).await?;
            common.say(&page, || show::table(&page));
            Ok(())
        }
        Action::Get {
            instance,
            wait,
            common,
        } => {
            let client = Client::of(&common.host.data_dir)?;
            let found = look(&client, common, &instance.app, &instance.id, *wait).await?;
            common.say(&found, || show::sheet(&found));
            Ok(())
        }
        Action::History { instance, common } => history(instance, common).await,
        Action::RaiseEvent {
            instance,
            event,
            data,
            common,
        } => {
            let client = Client::of(&common.host.data_dir)?;
            let path = [&*instance.app, &*instance.id, "events", event];
            let request = common.request(&client, Method::POST, &path, &[]);
            client.succeed(with(request, data)?).await?;
            ui::note(&format!("event `{event}` sent to `{}`", instance.id));
            Ok(())
        }
        Action::Suspend { change } => self::change(change, "suspend", "suspended").await,
        Action::Resume { change } => self::change(change, "resume", "resumed").await,
        Action::Cancel { change } => self::change(change, "cancel", "asked to cancel").await,
        Action::Terminate { change } => self::change(change, "terminate", "terminated").await,
        Action::Purge {
            instance,
            force,
            common,
        } => {
            let client = Client::of(&common.host.data_dir)?;
            let path = [&*instance.app, &*instance.id];
            let query = [("force", force.then(|| "true".to_owned()))];
            let request = common.request(&client, Method::DELETE, &path, &query);
            client.succeed(request).await?;
            ui::note(&format!("`{}` is purged", instance.id));
            Ok(())
        }
        Action::Rerun {
            instance,
            event,
            new_id,
            input,
            common,
        } => {
            let client = Client::of(&common.host.data_dir)?;
            let number = event.to_string();
            let path = [&*instance.app, &*instance.id, "rerun", &number];
            let query = [("id", new_id.clone())];
            let request = common.request(&client, Method::POST, &path, &query);
            let started: WorkflowStartReport = client.report(with(request, input)?).await?;
            common.say(&started, || started.instance_id.clone());
            Ok(())
        }
    }
}

async fn look(
    client: &Client,
    common: &Common,
    app: &str,
    id: &str,
    wait: Option<Duration>,
) -> Result<WorkflowReport, Failure> {
    let wait = wait.map(|wait| wait.as_millis().to_string());
    let request = common.request(client, Method::GET, &[app, id], &[("wait", wait)]);
    client.report(request).await
}

async fn history(instance: &Instance, common: &Common) -> Result<(), Failure> {
    let client = Client::of(&common.host.data_dir)?;
    let mut events: Vec<WorkflowEventReport> = Vec::new();
    loop {
        let path = [&*instance.app, &*instance.id, "history"];
        let from = [("from", Some(events.len().to_string()))];
        let request = common.request(&client, Method::GET, &path, &from);
        let page: Vec<WorkflowEventReport> = client.report(request).await?;
        let full = page.len() == EVENTS_PAGE;
        events.extend(page);
        if !full {
            break;
        }
    }
    common.say(&events, || show::events(&events));
    Ok(())
}

async fn change(change: &Change, verb: &str, done: &str) -> Result<(), Failure> {
    let Change {
        instance,
        reason,
        common,
    } = change;
    let client = Client::of(&common.host.data_dir)?;
    let path = [&*instance.app, &*instance.id, "state", verb];
    let query = [("reason", reason.clone())];
    let request = common.request(&client, Method::POST, &path, &query);
    client.succeed(request).await?;
    ui::note(&format!("`{}` is {done}", instance.id));
    Ok(())
}

fn with(request: RequestBuilder, data: &DataArgs) -> Result<RequestBuilder, Failure> {
    Ok(match payload::read(data)? {
        None => request,
        Some(payload) => request
            .header(header::CONTENT_TYPE, payload.content_type)
            .body(payload.data),
    })
}
