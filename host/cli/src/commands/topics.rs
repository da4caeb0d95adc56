//! `berth topics`

use super::{json, or_dash};
use crate::{
    args::{HostArgs, Output},
    client::Client,
    failure::Failure,
    ui,
};
use berth_gateway::admin::reports::{DepthsReport, SubscriptionReport};
use serde::Serialize;
use std::collections::BTreeMap;

/// Flags of `berth topics`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    host: HostArgs,
}

#[derive(Serialize)]
struct Topics {
    #[serde(flatten)]
    depths: DepthsReport,
    subscriptions: Vec<SubscriptionReport>,
}

pub async fn execute(args: &Args) -> Result<(), Failure> {
    let client = Client::of(&args.host.data_dir)?;
    let topics = Topics {
        depths: client.get(&["depths"]).await?,
        subscriptions: client.get(&["subscriptions"]).await?,
    };
    ui::out(&match args.host.output {
        Output::Json => json(&topics),
        Output::Text => table(&topics),
    });
    for problem in &topics.depths.problems {
        ui::note(&format!(
            "depths of `{}` are unknown: {}",
            problem.pubsub, problem.error
        ));
    }
    Ok(())
}

/// One line per topic and group; subscriptions whose topic does not exist yet come too.
fn table(topics: &Topics) -> String {
    let mut rows: BTreeMap<[String; 4], [String; 4]> = BTreeMap::new();
    for depth in &topics.depths.topics {
        let group = or_dash(depth.group.clone().unwrap_or_default());
        let key = [&depth.namespace, &depth.pubsub, &depth.topic, &group].map(Clone::clone);
        let (waiting, in_flight) = (depth.waiting.to_string(), depth.in_flight.to_string());
        rows.insert(key, [waiting, in_flight, "-".to_owned(), String::new()]);
    }
    for subscription in &topics.subscriptions {
        let SubscriptionReport {
            namespace,
            pubsub,
            topic,
            app_id,
            ..
        } = subscription;
        let key = [namespace, pubsub, topic, app_id].map(Clone::clone);
        let unknown = || {
            [
                "-".to_owned(),
                "-".to_owned(),
                "-".to_owned(),
                String::new(),
            ]
        };
        let row = rows.entry(key).or_insert_with(unknown);
        row[2] = or_dash(subscription.dead_letter_topic.clone().unwrap_or_default());
        row[3] = subscription.problem.clone().unwrap_or_default();
    }
    if rows.is_empty() {
        return "no topics".to_owned();
    }
    let header = [
        "NAMESPACE",
        "PUBSUB",
        "TOPIC",
        "GROUP",
        "WAITING",
        "IN FLIGHT",
        "DEAD LETTERS TO",
        "PROBLEM",
    ];
    let rows = rows
        .into_iter()
        .map(|([a, b, c, d], [e, f, g, h])| [a, b, c, d, e, f, g, h]);
    ui::table(header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_gateway::admin::reports::DepthReport;

    #[test]
    fn depths_and_subscriptions_are_one_table() {
        let depth = |topic: &str, group: Option<&str>, waiting| DepthReport {
            namespace: "default".to_owned(),
            pubsub: "pubsub".to_owned(),
            topic: topic.to_owned(),
            group: group.map(str::to_owned),
            waiting,
            in_flight: 1,
        };
        let subscription = |topic: &str, app: &str, dead: Option<&str>| SubscriptionReport {
            namespace: "default".to_owned(),
            app_id: app.to_owned(),
            pubsub: "pubsub".to_owned(),
            topic: topic.to_owned(),
            dead_letter_topic: dead.map(str::to_owned),
            problem: None,
        };
        let topics = Topics {
            depths: DepthsReport {
                topics: vec![
                    depth("orders", Some("notify"), 7),
                    depth("orders-dlq", None, 2),
                ],
                problems: Vec::new(),
            },
            subscriptions: vec![
                subscription("orders", "notify", Some("orders-dlq")),
                subscription("refunds", "billing", None),
            ],
        };
        insta::assert_snapshot!(table(&topics), @r"
        NAMESPACE  PUBSUB  TOPIC       GROUP    WAITING  IN FLIGHT  DEAD LETTERS TO  PROBLEM
        default    pubsub  orders      notify   7        1          orders-dlq
        default    pubsub  orders-dlq  -        2        1          -
        default    pubsub  refunds     billing  -        -          -
        ");
    }
}
