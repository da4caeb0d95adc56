//! `berth components`

use super::{json, or_dash};
use crate::{
    args::{HostArgs, Output},
    client::Client,
    failure::Failure,
    ui,
};
use berth_gateway::admin::reports::{CircuitBreakerReport, ComponentReport, HealthStatus};
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
        "BREAKERS",
        "ERROR",
    ];
    let rows = components.iter().map(|component| {
        [
            component.namespace.clone(),
            component.name.clone(),
            component.kind.clone(),
            or_dash(component.version.clone()),
            or_dash(component.scopes.join(" ")),
            status(component.status),
            or_dash(breakers(&component.circuit_breakers)),
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

/// Those that let not everything through, by app; if there are none such, that all are closed.
fn breakers(all: &[CircuitBreakerReport]) -> String {
    const CLOSED: &str = "closed";
    let line = |own: &CircuitBreakerReport| format!("{} {} {}", own.app, own.direction, own.state);
    let lines: Vec<_> = all
        .iter()
        .filter(|own| own.state != CLOSED)
        .map(line)
        .collect();
    match (lines.is_empty(), all.is_empty()) {
        (true, true) => String::new(),
        (true, false) => CLOSED.to_owned(),
        (false, _) => lines.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakers_that_are_not_closed_are_told_by_app() {
        let breaker = |app: &str, state: &str| CircuitBreakerReport {
            app: app.to_owned(),
            direction: "outbound".to_owned(),
            state: state.to_owned(),
        };
        assert_eq!(breakers(&[]), "");
        assert_eq!(breakers(&[breaker("orders", "closed")]), "closed");
        let both = [breaker("carts", "closed"), breaker("orders", "open")];
        assert_eq!(breakers(&both), "orders outbound open");
    }

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
            circuit_breakers: Vec::new(),
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
        NAMESPACE  NAME        TYPE          VERSION  SCOPES  STATUS   BREAKERS  ERROR
        default    statestore  state.sqlite  v1       -       healthy  -
        default    cache       state.redis   v1       orders  failed   -         connecting to localhost:6379: connection refused
        ");
    }
}
