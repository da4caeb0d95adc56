//! `berth publish`

use super::payload;
use crate::{
    args::{DEFAULT_DATA_DIR, DataArgs},
    client::Client,
    failure::Failure,
    ui,
};
use reqwest::{Method, header};
use std::{collections::BTreeMap, path::PathBuf};

/// Flags of `berth publish`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// App to publish as, with its rights
    #[arg(short = 'i', long, value_name = "APP")]
    publish_app_id: String,
    /// Pub/sub backend
    #[arg(short, long, value_name = "NAME")]
    pubsub: String,
    /// Topic
    #[arg(short, long)]
    topic: String,
    #[command(flatten)]
    data: DataArgs,
    /// Metadata as a JSON object, such as {"ttlInSeconds": "60"}
    #[arg(short, long, value_name = "JSON", value_parser = metadata)]
    metadata: Option<Metadata>,
    /// Namespace of the app, if it is not that of the host
    #[arg(long)]
    namespace: Option<String>,
    /// Data directory of the host
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR, env = "BERTH_DATA_DIR", hide_env_values = true)]
    data_dir: PathBuf,
}

type Metadata = BTreeMap<String, String>;

pub async fn execute(args: &Args) -> Result<(), Failure> {
    let client = Client::of(&args.data_dir)?;
    let mut query = vec![("app".to_owned(), args.publish_app_id.clone())];
    if let Some(namespace) = &args.namespace {
        query.push(("namespace".to_owned(), namespace.clone()));
    }
    for (name, value) in args.metadata.iter().flatten() {
        query.push((format!("metadata.{name}"), value.clone()));
    }
    let segments = ["publish", &args.pubsub, &args.topic];
    let mut request = client.request(Method::POST, &segments).query(&query);
    if let Some(payload) = payload::read(&args.data)? {
        request = request
            .header(header::CONTENT_TYPE, payload.content_type)
            .body(payload.data);
    }
    client.succeed(request).await?;
    ui::note(&format!(
        "published to `{}` of `{}`",
        args.topic, args.pubsub
    ));
    Ok(())
}

/// A JSON object; numbers and booleans are taken as their text.
fn metadata(text: &str) -> Result<Metadata, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))?;
    let text_of = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(object
        .into_iter()
        .map(|(name, value)| (name, text_of(value)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_a_json_object() {
        let parsed = metadata(r#"{"ttlInSeconds": 60, "rawPayload": "true"}"#).unwrap();
        let shown: Vec<_> = parsed
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(shown, ["rawPayload=true", "ttlInSeconds=60"]);
        assert!(
            metadata("[1]")
                .unwrap_err()
                .starts_with("expected a JSON object: ")
        );
    }
}
