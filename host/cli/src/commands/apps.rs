//! `berth apps`

use super::{json, or_dash};
use crate::{
    args::{HostArgs, Output},
    client::Client,
    failure::Failure,
    ui,
};
use berth_gateway::admin::reports::AppReport;

/// Flags of `berth apps`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    host: HostArgs,
}

pub async fn execute(args: &Args) -> Result<(), Failure> {
    let client = Client::of(&args.host.data_dir)?;
    let apps: Vec<AppReport> = client.get(&["apps"]).await?;
    ui::out(&match args.host.output {
        Output::Json => json(&apps),
        Output::Text => table(&apps),
    });
    Ok(())
}

fn table(apps: &[AppReport]) -> String {
    if apps.is_empty() {
        return "no apps".to_owned();
    }
    let header = [
        "NAMESPACE",
        "APP ID",
        "ROUTES",
        "EXPORTS",
        "IN FLIGHT",
        "QUEUED",
        "CALLS",
        "FAILURES",
    ];
    let rows = apps.iter().map(|app| {
        [
            app.namespace.clone(),
            app.app_id.clone(),
            or_dash(app.routes.join(" ")),
            app.exports.join(" "),
            app.in_flight.to_string(),
            app.queued.to_string(),
            app.calls.to_string(),
            app.failures.to_string(),
        ]
    });
    ui::table(header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_show_what_they_do() {
        let app = AppReport {
            namespace: "default".to_owned(),
            app_id: "order-service".to_owned(),
            exports: vec!["http".to_owned(), "subscriber".to_owned()],
            routes: vec!["/orders".to_owned(), "/carts".to_owned()],
            guest: "/shop/order-service.wasm".to_owned(),
            in_flight: 2,
            queued: 0,
            calls: 1204,
            failures: 3,
            load_milliseconds: 12,
            from_cache: true,
        };
        insta::assert_snapshot!(table(&[app]), @r"
        NAMESPACE  APP ID         ROUTES          EXPORTS          IN FLIGHT  QUEUED  CALLS  FAILURES
        default    order-service  /orders /carts  http subscriber  2          0       1204   3
        ");
    }
}
