//! What the host says when it is ready: what runs where.

use super::{Settings, deployment::Deployment, guests::LoadedGuest};
use crate::{args::Output, host_file::HostFile, ui};
use berth_blocks::PlannedSubscription;
use berth_gateway::admin::reports::AppReport;
use berth_resources::Component;
use owo_colors::Style;
use serde_json::{Value, json};
use std::time::Duration;

/// Prints it to stdout.
pub fn print(settings: &Settings, host: &HostFile, deployment: &Deployment, took: Duration) {
    ui::out(&match settings.output {
        Output::Json => object(settings, host, deployment, took).to_string(),
        Output::Text => text(settings, host, deployment, took),
    });
}

/// One JSON object: everything that a program needs to use the host.
fn object(settings: &Settings, host: &HostFile, deployment: &Deployment, took: Duration) -> Value {
    let apps: Vec<_> = deployment
        .guests
        .iter()
        .map(|guest| AppReport::of(&guest.deployable.loaded))
        .collect();
    let components = deployment.components();
    let components: Vec<_> = components
        .map(|(component, embedded)| {
            json!({
                "namespace": component.namespace.as_str(),
                "name": component.name,
                "type": component.kind.0,
                "embedded": embedded,
            })
        })
        .collect();
    let subscriptions: Vec<_> = deployment
        .plan
        .iter()
        .map(|planned| {
            json!({
                "namespace": planned.target.namespace.as_str(),
                "appId": planned.target.app.as_str(),
                "pubsub": planned.subscription.pubsub,
                "topic": planned.subscription.topic,
            })
        })
        .collect();
    json!({
        "status": "ready",
        "version": host.version,
        "pid": host.pid,
        "http": host.http,
        "daprHttp": host.dapr_http,
        "admin": host.admin,
        "mesh": host.mesh,
        "dataDir": absolute(settings),
        "startMilliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "apps": apps,
        "components": components,
        "subscriptions": subscriptions,
    })
}

fn text(settings: &Settings, host: &HostFile, deployment: &Deployment, took: Duration) -> String {
    let mut components: Vec<_> = deployment.components().map(component_row).collect();
    components.sort();
    let mut parts = vec![
        ui::table(
            ["APP", "ROUTES", "EXPORTS", "GUEST"],
            deployment.guests.iter().map(app_row),
        ),
        ui::table(["COMPONENT", "TYPE", "APPS"], components),
    ];
    if !deployment.plan.is_empty() {
        let rows = deployment.plan.iter().map(subscription_row);
        parts.push(ui::table(["TOPIC", "APP", "DEAD LETTERS TO"], rows));
    }
    let dim = |text: &str| ui::paint(text, Style::new().dimmed());
    let watching = if settings.watch {
        "; changed files are applied"
    } else {
        ""
    };
    parts.push(format!(
        "{} in {}: {}\n{}\n{}\n{} {}   {} {}\n{}",
        ui::paint("ready", Style::new().green().bold()),
        ui::duration(took),
        ui::paint(&host.http, Style::new().bold()),
        dapr_http(settings, host, deployment).join("\n"),
        format_args!(
            "{} {}",
            dim("hosts"),
            host.mesh.as_deref().unwrap_or("none but this one")
        ),
        dim("admin"),
        host.admin,
        dim("data"),
        absolute(settings),
        dim(&format!("Ctrl-C stops{watching}")),
    ));
    parts.join("\n\n")
}

/// Where native programs find the building blocks, or what to type so that they do.
fn dapr_http(settings: &Settings, host: &HostFile, deployment: &Deployment) -> Vec<String> {
    let dim = |text: &str| ui::paint(text, Style::new().dimmed());
    if host.dapr_http.is_empty() {
        return vec![dim(&format!("dapr {}", settings.dapr_http.why_off()))];
    }
    let has_guest = |namespace: &str, app: &str| {
        let mut apps = deployment.documents.resources.apps.iter();
        apps.any(|own| own.namespace.as_str() == namespace && own.id.as_str() == app)
    };
    let doors = host.dapr_http.iter().map(|door| {
        let native = if has_guest(&door.namespace, &door.app_id) {
            ""
        } else {
            ", which has no guest"
        };
        let caller = name(&door.namespace, &door.app_id);
        format!("{} {} as {caller}{native}", dim("dapr"), door.url)
    });
    doors.collect()
}

fn app_row(guest: &LoadedGuest) -> [String; 4] {
    let report = AppReport::of(&guest.deployable.loaded);
    let alone = if report.exports.iter().any(|export| export == "http") {
        "-"
    } else {
        ""
    };
    let routes = match report.routes.as_slice() {
        [] => alone.to_owned(),
        routes => routes.join(" "),
    };
    let how = if report.from_cache {
        "from cache"
    } else {
        "compiled"
    };
    let took = ui::duration(guest.deployable.loaded.load_time());
    let name = name(&report.namespace, &report.app_id);
    [
        name,
        routes,
        report.exports.join(" "),
        format!("{how} in {took}"),
    ]
}

fn component_row((component, embedded): (&Component, bool)) -> [String; 3] {
    let kind = &component.kind.0;
    let kind = if embedded {
        format!("{kind} (embedded)")
    } else {
        kind.clone()
    };
    let scopes: Vec<_> = component.scopes.iter().map(ToString::to_string).collect();
    let apps = if scopes.is_empty() {
        "all".to_owned()
    } else {
        scopes.join(" ")
    };
    [
        name(component.namespace.as_str(), &component.name),
        kind,
        apps,
    ]
}

fn subscription_row(planned: &PlannedSubscription) -> [String; 3] {
    let subscription = &planned.subscription;
    let dead = subscription
        .dead_letter_topic
        .clone()
        .unwrap_or_else(|| "-".to_owned());
    let topic = format!("{}/{}", subscription.pubsub, subscription.topic);
    let app = name(
        planned.target.namespace.as_str(),
        planned.target.app.as_str(),
    );
    [topic, app, dead]
}

/// The default namespace goes without saying.
fn name(namespace: &str, name: &str) -> String {
    if namespace == "default" {
        name.to_owned()
    } else {
        format!("{namespace}/{name}")
    }
}

fn absolute(settings: &Settings) -> String {
    let path = std::path::absolute(&settings.data_dir);
    path.unwrap_or_else(|_| settings.data_dir.clone())
        .display()
        .to_string()
}
