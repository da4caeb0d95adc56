//! `berth:pubsub`.

use super::{Check, Outcome, Run, done, expect, refused};
use crate::bindings::berth::pubsub::publisher::{
    self, BulkMessage, Error, Message, PublishOptions,
};
use serde_json::json;

pub const CHECKS: &[Check] = &[
    ("pubsub.publish", publish),
    ("pubsub.publish-special", publish_special),
    ("pubsub.publish-cloudevent", publish_cloudevent),
    ("pubsub.publish-raw", publish_raw),
    ("pubsub.publish-unknown", publish_unknown),
    ("pubsub.publish-empty-topic", publish_empty_topic),
    ("pubsub.publish-zero-ttl", publish_zero_ttl),
    ("pubsub.bulk-publish", bulk_publish),
    ("pubsub.bulk-publish-duplicate", bulk_publish_duplicate),
];

const PLAIN: PublishOptions = PublishOptions {
    raw: false,
    ttl_seconds: None,
    partition_key: None,
    metadata: Vec::new(),
};

fn message(data: &str, content_type: &str) -> Message {
    Message {
        data: data.as_bytes().to_vec(),
        content_type: Some(content_type.to_owned()),
    }
}

fn hello() -> Message {
    message("hello", "text/plain")
}

fn attributes<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs
        .map(|(name, value)| (format!("cloudevent.{name}"), value))
        .into()
}

fn is_invalid(error: &Error) -> bool {
    matches!(error, Error::Invalid(_))
}

fn publish(run: &Run) -> Outcome {
    let options = PublishOptions {
        metadata: attributes([("id", run.key("plain"))]),
        ..PLAIN
    };
    done(publisher::publish("pubsub", "contract", &hello(), &options))
}

fn publish_special(run: &Run) -> Outcome {
    let metadata = attributes([("id", run.key("special")), ("type", "special".to_owned())]);
    let message = message(r#"{"n":1}"#, "application/json");
    done(publisher::publish(
        "pubsub",
        "contract",
        &message,
        &PublishOptions { metadata, ..PLAIN },
    ))
}

fn publish_cloudevent(run: &Run) -> Outcome {
    let event = json!({
        "specversion": "1.0",
        "id": run.key("whole"),
        "source": "elsewhere",
        "type": "special",
        "datacontenttype": "text/plain",
        "data": "whole",
    });
    let message = message(&event.to_string(), "application/cloudevents+json");
    done(publisher::publish("pubsub", "contract", &message, &PLAIN))
}

fn publish_raw(run: &Run) -> Outcome {
    let options = PublishOptions {
        raw: true,
        ttl_seconds: Some(60),
        partition_key: Some(run.id.clone()),
        metadata: vec![],
    };
    let message = Message {
        data: vec![0, 255, 10],
        content_type: None,
    };
    done(publisher::publish(
        "pubsub",
        "contract-raw",
        &message,
        &options,
    ))
}

fn publish_unknown(_: &Run) -> Outcome {
    let result = publisher::publish("no-such-pubsub", "contract", &hello(), &PLAIN);
    refused(result, |error| matches!(error, Error::NotFound(_)))
}

fn publish_empty_topic(_: &Run) -> Outcome {
    refused(
        publisher::publish("pubsub", "", &hello(), &PLAIN),
        is_invalid,
    )
}

fn publish_zero_ttl(_: &Run) -> Outcome {
    let options = PublishOptions {
        ttl_seconds: Some(0),
        ..PLAIN
    };
    refused(
        publisher::publish("pubsub", "contract", &hello(), &options),
        is_invalid,
    )
}

fn bulk_message(run: &Run, entry_id: &str) -> BulkMessage {
    BulkMessage {
        entry_id: entry_id.to_owned(),
        message: hello(),
        metadata: attributes([("id", run.key(&format!("bulk-{entry_id}")))]),
    }
}

fn bulk_publish(run: &Run) -> Outcome {
    let messages = [bulk_message(run, "1"), bulk_message(run, "2")];
    let failures = done(publisher::bulk_publish(
        "pubsub", "contract", &messages, &PLAIN,
    ))?;
    expect(failures.is_empty(), || format!("{failures:?}"))
}

fn bulk_publish_duplicate(run: &Run) -> Outcome {
    let messages = [bulk_message(run, "1"), bulk_message(run, "1")];
    refused(
        publisher::bulk_publish("pubsub", "contract", &messages, &PLAIN),
        is_invalid,
    )
}
