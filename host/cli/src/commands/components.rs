//! `berth components`

use super::{json, or_dash};
use crate::{
    args::{HostArgs, Output},
    client::Client,
    failure::Failure,
    ui,
};
use berth_gateway::admin::reports::{ComponentReport, HealthStatus};
use owo_colors::Style;

/// Flags of `berth components`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    host: HostArgs,
}

pub async fn execute(args: &Args) -> Result<(), Failure> {
    let client = Client::of(&args.host.data_dir)?;
    let components: Vec<ComponentReport> = client.get(&["components"]).await?;
    ui::out(&match args.host.output {
        Output::Json => json(&components),
        Output::Text => table(&components),
    });
    Ok(())
}

fn table(components: &[ComponentReport]) -> String {
    if components.is_empty() {
        return "no components".to_owned();
    }
    let header = [
        "NAMESPACE",
        "NAME",
        "TYPE",
        "VERSION",
        "SCOPES",
        "STATUS",
        "ERROR",
    ];
    let rows = components.iter().map(|component| {
        [
            component.namespace.clone(),
            component.name.clone(),
            component.kind.clone(),
            component.version.clone(),
            or_dash(component.scopes.join(" ")),
            status(component.status),
            component.error.clone().unwrap_or_default(),
        ]
    });
    ui::table(header, rows)
}

fn status(status: HealthStatus) -> String {
    match status {
        HealthStatus::Healthy => ui::paint("healthy", Style::new().green()),
        HealthStatus::Unhealthy => ui::paint("unhealthy", Style::new().yellow()),
        HealthStatus::Failed => ui::paint("failed", Style::new().red()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_show_their_health() {
        let healthy = ComponentReport {
            namespace: "default".to_owned(),
            name: "statestore".to_owned(),
            kind: "state.sqlite".to_owned(),
            version: "v1".to_owned(),
            scopes: Vec::new(),
            status: HealthStatus::Healthy,
            error: None,
        };
        let failed = ComponentReport {
            name: "cache".to_owned(),
            kind: "state.redis".to_owned(),
            scopes: vec!["orders".to_owned()],
            status: HealthStatus::Failed,
            error: Some("connecting to localhost:6379: connection refused".to_owned()),
            ..healthy.clone()
        };
        insta::assert_snapshot!(table(&[healthy, failed]), @r"
        NAMESPACE  NAME        TYPE          VERSION  SCOPES  STATUS   ERROR
        default    statestore  state.sqlite  v1       -       healthy
        default    cache       state.redis   v1       orders  failed   connecting to localhost:6379: connection refused
        ");
    }
}
