//! `berth dlq`: dead letters of a running host.

use super::json;
use crate::{
    args::{HostArgs, Output},
    client::Client,
    failure::Failure,
    ui,
};
use berth_gateway::admin::reports::{MessageReport, ResendReport, SubscriptionReport};
use clap::Subcommand;
use reqwest::Method;
use serde::Serialize;
use std::collections::BTreeSet;

/// Messages of one page, which is also the most that a listing shows of a topic.
const PAGE: usize = 1000;

/// Flags of `berth dlq`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List dead letters, of every dead-letter topic unless one is named
    List {
        #[command(flatten)]
        topic: OptionalTopic,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Show one dead letter: what it says and why it failed
    Show {
        /// ID of the message, as listed
        id: String,
        #[command(flatten)]
        topic: Topic,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Send dead letters back to the topic that they came from
    Resend {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        topic: Topic,
        #[command(flatten)]
        host: HostArgs,
    },
    /// Delete dead letters for good
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        topic: Topic,
        #[command(flatten)]
        host: HostArgs,
    },
}

#[derive(Debug, clap::Args)]
struct OptionalTopic {
    /// Pub/sub backend
    #[arg(short, long, value_name = "NAME", requires = "topic")]
    pubsub: Option<String>,
    /// Dead-letter topic
    #[arg(short, long, requires = "pubsub")]
    topic: Option<String>,
    /// Namespace, if it is not that of the host
    #[arg(long)]
    namespace: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Topic {
    /// Pub/sub backend
    #[arg(short, long, value_name = "NAME")]
    pubsub: String,
    /// Dead-letter topic
    #[arg(short, long)]
    topic: String,
    /// Namespace, if it is not that of the host
    #[arg(long)]
    namespace: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// IDs of messages, as listed
    ids: Vec<String>,
    /// Every message that the topic holds now
    #[arg(long)]
    all: bool,
}

/// A dead-letter topic and what it holds.
#[derive(Debug, Serialize)]
struct Listing {
    namespace: Option<String>,
    pubsub: String,
    topic: String,
    messages: Vec<MessageReport>,
}

pub async fn execute(args: &Args) -> Result<(), Failure> {
    match &args.action {
        Action::List { topic, host } => list(topic, host).await,
        Action::Show { id, topic, host } => show(id, topic, host).await,
        Action::Resend { which, topic, host } => resend(which, topic, host).await,
        Action::Delete { which, topic, host } => delete(which, topic, host).await,
    }
}

async fn list(topic: &OptionalTopic, host: &HostArgs) -> Result<(), Failure> {
    let client = Client::of(&host.data_dir)?;
    let mut listings = Vec::new();
    for topic in topics(&client, topic).await? {
        let messages = page(&client, &topic, None).await?;
        let Topic {
            pubsub,
            topic,
            namespace,
        } = topic;
        listings.push(Listing {
            namespace,
            pubsub,
            topic,
            messages,
        });
    }
    ui::out(&match host.output {
        Output::Json => json(&listings),
        Output::Text => table(&listings),
    });
    Ok(())
}

/// The topic that was named, or all that subscriptions name as their dead-letter topic.
async fn topics(client: &Client, named: &OptionalTopic) -> Result<Vec<Topic>, Failure> {
    if let (Some(pubsub), Some(topic)) = (&named.pubsub, &named.topic) {
        let (pubsub, topic) = (pubsub.clone(), topic.clone());
        let namespace = named.namespace.clone();
        return Ok(vec![Topic {
            pubsub,
            topic,
            namespace,
        }]);
    }
    let subscriptions: Vec<SubscriptionReport> = client.get(&["subscriptions"]).await?;
    let all: BTreeSet<_> = subscriptions
        .into_iter()
        .filter(|found| {
            named
                .namespace
                .as_ref()
                .is_none_or(|wanted| wanted == &found.namespace)
        })
        .filter_map(|found| Some((found.namespace, found.pubsub, found.dead_letter_topic?)))
        .collect();
    let topics = all.into_iter().map(|(namespace, pubsub, topic)| Topic {
        pubsub,
        topic,
        namespace: Some(namespace),
    });
    Ok(topics.collect())
}

/// Messages after `after`, oldest first.
async fn page(
    client: &Client,
    topic: &Topic,
    after: Option<&str>,
) -> Result<Vec<MessageReport>, Failure> {
    let request = client.request(Method::GET, &["dlq", &topic.pubsub, &topic.topic]);
    let request = request.query(&topic.query()).query(&[("limit", PAGE)]);
    let request = match after {
        Some(id) => request.query(&[("after", id)]),
        None => request,
    };
    client.report(request).await
}

async fn show(id: &str, topic: &Topic, host: &HostArgs) -> Result<(), Failure> {
    let client = Client::of(&host.data_dir)?;
    let request = client.request(Method::GET, &["dlq", &topic.pubsub, &topic.topic, id]);
    let message: MessageReport = client.report(request.query(&topic.query())).await?;
    ui::out(&match host.output {
        Output::Json => json(&message),
        Output::Text => sheet(&message),
    });
    Ok(())
}

async fn resend(which: &Which, topic: &Topic, host: &HostArgs) -> Result<(), Failure> {
    let client = Client::of(&host.data_dir)?;
    for id in which.ids(&client, topic).await? {
        let segments = ["dlq", &topic.pubsub, &topic.topic, &id, "resend"];
        let request = client
            .request(Method::POST, &segments)
            .query(&topic.query());
        let report: ResendReport = client.report(request).await?;
        match host.output {
            Output::Json => {
                ui::out(&serde_json::json!({ "id": id, "topic": report.topic }).to_string())
            }
            Output::Text => ui::out(&format!("{id} sent to `{}`", report.topic)),
        }
    }
    Ok(())
}

async fn delete(which: &Which, topic: &Topic, host: &HostArgs) -> Result<(), Failure> {
    let client = Client::of(&host.data_dir)?;
    for id in which.ids(&client, topic).await? {
        let segments = ["dlq", &topic.pubsub, &topic.topic, &id];
        let request = client
            .request(Method::DELETE, &segments)
            .query(&topic.query());
        client.succeed(request).await?;
        match host.output {
            Output::Json => ui::out(&serde_json::json!({ "id": id }).to_string()),
            Output::Text => ui::out(&format!("{id} deleted")),
        }
    }
    Ok(())
}

impl Topic {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let namespace = self.namespace.as_deref();
        namespace
            .map(|namespace| ("namespace", namespace))
            .into_iter()
            .collect()
    }
}

impl Which {
    /// The IDs that were named, or all that the topic holds.
    async fn ids(&self, client: &Client, topic: &Topic) -> Result<Vec<String>, Failure> {
        if !self.all {
            return Ok(self.ids.clone());
        }
        // Taken down first: what fails again comes back to this topic while we are at it.
        let mut ids: Vec<String> = Vec::new();
        loop {
            let page = page(client, topic, ids.last().map(String::as_str)).await?;
            let is_last = page.len() < PAGE;
            ids.extend(page.into_iter().map(|message| message.id));
            if is_last {
                return Ok(ids);
            }
        }
    }
}

fn table(listings: &[Listing]) -> String {
    let rows: Vec<_> = listings.iter().flat_map(rows).collect();
    if rows.is_empty() {
        return "no dead letters".to_owned();
    }
    ui::table(
        [
            "ID",
            "PUBSUB",
            "TOPIC",
            "FROM",
            "APP",
            "ATTEMPTS",
            "PUBLISHED",
            "REASON",
        ],
        rows,
    )
}

fn rows(listing: &Listing) -> impl Iterator<Item = [String; 8]> {
    listing.messages.iter().map(|message| {
        let mark = |name: &str| {
            message
                .metadata
                .get(name)
                .cloned()
                .unwrap_or_else(|| "-".to_owned())
        };
        [
            message.id.clone(),
            listing.pubsub.clone(),
            listing.topic.clone(),
            mark("deadLetterOriginalTopic"),
            mark("deadLetterApp"),
            mark("deadLetterAttempts"),
            message.published_at.clone(),
            mark("deadLetterReason"),
        ]
    })
}

/// One message: what is known about it, an empty line, what it says.
fn sheet(message: &MessageReport) -> String {
    let mut lines = vec![
        format!("id: {}", message.id),
        format!("published: {}", message.published_at),
        format!(
            "content type: {}",
            message.content_type.as_deref().unwrap_or("-")
        ),
    ];
    lines.extend(
        message
            .metadata
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    lines.push(String::new());
    let data = message.data.clone();
    let encoded = || {
        message
            .data_base64
            .as_ref()
            .map(|text| format!("(base64) {text}"))
    };
    lines.push(data.or_else(encoded).unwrap_or_default());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> MessageReport {
        let metadata = [
            ("deadLetterOriginalTopic", "orders"),
            ("deadLetterApp", "notification-service"),
            ("deadLetterAttempts", "3"),
            ("deadLetterReason", "the guest asked for another attempt"),
        ];
        MessageReport {
            id: "42".to_owned(),
            published_at: "2026-01-31T09:30:00Z".to_owned(),
            content_type: Some("application/cloudevents+json".to_owned()),
            metadata: metadata
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            size: 14,
            data: Some("{\"id\":\"order\"}".to_owned()),
            data_base64: None,
        }
    }

    #[test]
    fn a_listing_says_why_a_message_is_dead() {
        let listing = Listing {
            namespace: None,
            pubsub: "pubsub".to_owned(),
            topic: "orders-dlq".to_owned(),
            messages: vec![message()],
        };
        insta::assert_snapshot!(table(&[listing]), @r"
        ID  PUBSUB  TOPIC       FROM    APP                   ATTEMPTS  PUBLISHED             REASON
        42  pubsub  orders-dlq  orders  notification-service  3         2026-01-31T09:30:00Z  the guest asked for another attempt
        ");
        assert_eq!(table(&[]), "no dead letters");
    }

    #[test]
    fn a_message_can_be_read() {
        insta::assert_snapshot!(sheet(&message()), @r#"
        id: 42
        published: 2026-01-31T09:30:00Z
        content type: application/cloudevents+json
        deadLetterApp: notification-service
        deadLetterAttempts: 3
        deadLetterOriginalTopic: orders
        deadLetterReason: the guest asked for another attempt

        {"id":"order"}
        "#);
    }
}
