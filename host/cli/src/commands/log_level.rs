//! `berth log-level`

use super::json;
use crate::{
    args::{HostArgs, Output},
    client::Client,
    failure::Failure,
    ui,
};
use berth_gateway::admin::reports::{LogLevelChange, LogLevelReport};
use berth_telemetry::LogLevel;
use reqwest::Method;

/// Flags of `berth log-level`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app, `name` or `name.namespace`; without it, the host
    #[arg(value_name = "APP")]
    first: Option<String>,
    /// debug, info, warn or error; `default`: the app follows the host again. Without it, the levels are shown
    #[arg(value_name = "LEVEL")]
    second: Option<String>,
    #[command(flatten)]
    host: HostArgs,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Show(Option<String>),
    Set {
        app: Option<String>,
        level: Option<LogLevel>,
    },
}

pub async fn execute(args: &Args) -> Result<(), Failure> {
    let wish = wish(args.first.clone(), args.second.as_deref())?;
    let client = Client::of(&args.host.data_dir)?;
    let (request, shown) = match wish {
        Wish::Show(app) => (client.request(Method::GET, &["logs", "level"]), app),
        Wish::Set { app, level } => {
            let change = LogLevelChange {
                level: level.map(|level| level.as_str().to_owned()),
            };
            let request = client
                .request(Method::PUT, &["logs", "level"])
                .json(&change);
            let query = app.as_ref().map(|app| ("app", app));
            (request.query(query.as_slice()), app)
        }
    };
    let report: LogLevelReport = client.report(request).await?;
    ui::out(&match args.host.output {
        Output::Json => json(&report),
        Output::Text => table(&report, shown.as_deref()),
    });
    Ok(())
}

/// One word may be either: a level if it is one.
fn wish(first: Option<String>, second: Option<&str>) -> Result<Wish, Failure> {
    let level = |text: &str| text.parse::<LogLevel>().map_err(Failure::input_text);
    Ok(match (first, second) {
        (None, _) => Wish::Show(None),
        (Some(word), None) => match word.parse() {
            Ok(level) => Wish::Set {
                app: None,
                level: Some(level),
            },
            Err(_) => Wish::Show(Some(word)),
        },
        (Some(app), Some("default")) => Wish::Set {
            app: Some(app),
            level: None,
        },
        (Some(app), Some(text)) => Wish::Set {
            app: Some(app),
            level: Some(level(text)?),
        },
    })
}

fn table(report: &LogLevelReport, only: Option<&str>) -> String {
    let host = ["(host)".to_owned(), "-".to_owned(), report.level.clone()];
    let is_shown = |namespace: &str, app: &str| {
        only.is_none_or(|only| only == app || only == format!("{app}.{namespace}"))
    };
    let apps = report
        .apps
        .iter()
        .filter(|own| is_shown(&own.namespace, &own.app_id))
        .map(|own| [own.app_id.clone(), own.namespace.clone(), own.level.clone()]);
    ui::table(
        ["APP ID", "NAMESPACE", "LEVEL"],
        [host].into_iter().chain(apps),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_gateway::admin::reports::AppLogLevel;

    fn of(words: &[&str]) -> Result<Wish, Failure> {
        wish(
            words.first().map(|word| (*word).to_owned()),
            words.get(1).copied(),
        )
    }

    #[test]
    fn a_word_is_a_level_or_an_app() {
        let set = |app: Option<&str>, level| Wish::Set {
            app: app.map(str::to_owned),
            level,
        };
        assert_eq!(of(&[]).unwrap(), Wish::Show(None));
        assert_eq!(
            of(&["orders"]).unwrap(),
            Wish::Show(Some("orders".to_owned()))
        );
        assert_eq!(of(&["debug"]).unwrap(), set(None, Some(LogLevel::Debug)));
        assert_eq!(
            of(&["orders", "warn"]).unwrap(),
            set(Some("orders"), Some(LogLevel::Warn))
        );
        assert_eq!(
            of(&["orders", "default"]).unwrap(),
            set(Some("orders"), None)
        );
        assert!(of(&["orders", "loud"]).is_err());
    }

    #[test]
    fn levels_stand_in_a_table() {
        let report = LogLevelReport {
            level: "info".to_owned(),
            apps: vec![AppLogLevel {
                namespace: "shop".to_owned(),
                app_id: "orders".to_owned(),
                level: "debug".to_owned(),
            }],
        };
        insta::assert_snapshot!(table(&report, None), @r"
        APP ID  NAMESPACE  LEVEL
        (host)  -          info
        orders  shop       debug
        ");
    }
}
