//! Several messages in one POST, as Dapr's bulk subscriptions have it.
//!
//! The answer names each entry. Unlike a single delivery, an entry without a status is delivered again, and so is the
//! whole batch if the answer cannot be read.

use super::{Answer, of_status, post, to_route, undone};
use crate::{failure::Failure, guest::Guest};
use base64::{Engine, engine::general_purpose::STANDARD};
use berth_blocks::{Caller, Delivery, DeliveryOutcome};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Largest answer that is read.
const ANSWER_MAX: usize = 4 << 20;

/// Hands several messages of one route to the HTTP export of a guest; says how each of them ended, in their order.
pub(crate) async fn deliver(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    batch: &[Delivery],
) -> Vec<DeliveryOutcome> {
    let all = |outcome: DeliveryOutcome| vec![outcome; batch.len()];
    match exchange(guest, caller.clone(), batch).await {
        Ok(Answer::Body(body)) => outcomes(batch, &body),
        Ok(Answer::TooLarge) => all(DeliveryOutcome::Retry(format!(
            "the app answered with more than {ANSWER_MAX} bytes"
        ))),
        Ok(Answer::Settled(outcome)) => all(outcome),
        Err(failure) => all(undone(guest, &caller, &failure)),
    }
}

async fn exchange(
    guest: &Arc<Guest>,
    caller: Arc<Caller>,
    batch: &[Delivery],
) -> Result<Answer, Failure> {
    let Some(first) = batch.first() else {
        return Ok(Answer::Body(Bytes::new()));
    };
    let body = envelope(batch)
        .map_err(|error| Failure::BadRequest(format!("the batch has no JSON form: {error}")))?;
    let request = to_route(&caller, &first.route, "application/json", body)?;
    post(guest, caller, request, ANSWER_MAX).await
}

#[derive(Serialize)]
struct Envelope<'b> {
    id: String,
    entries: Vec<Entry<'b>>,
    metadata: BTreeMap<&'static str, &'b str>,
    pubsubname: &'b str,
    topic: &'b str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'b> {
    entry_id: &'b str,
    event: Box<RawValue>,
    content_type: &'static str,
    metadata: BTreeMap<&'b str, &'b str>,
}

fn envelope(batch: &[Delivery]) -> serde_json::Result<Bytes> {
    let (pubsub, topic) = batch
        .first()
        .map_or(("", ""), |first| (&first.pubsub, &first.topic));
    let entries: serde_json::Result<Vec<_>> = batch.iter().map(entry).collect();
    let envelope = Envelope {
        id: uuid::Uuid::new_v4().to_string(),
        entries: entries?,
        metadata: BTreeMap::from([("pubsubName", pubsub)]),
        pubsubname: pubsub,
        topic,
        kind: "com.dapr.event.sent.bulk",
    };
    serde_json::to_vec(&envelope).map(Bytes::from)
}

/// The event as it is, or the payload of a message that had no envelope, in base64.
fn entry(delivery: &Delivery) -> serde_json::Result<Entry<'_>> {
    let (event, content_type) = if delivery.raw {
        let text = STANDARD.encode(&delivery.event.data);
        (
            serde_json::value::to_raw_value(&text)?,
            "application/octet-stream",
        )
    } else {
        (
            serde_json::from_slice(&delivery.envelope)?,
            "application/cloudevents+json",
        )
    };
    let metadata = delivery.metadata.iter();
    Ok(Entry {
        entry_id: &delivery.id,
        event,
        content_type,
        metadata: metadata
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
    })
}

#[derive(Default, Deserialize)]
struct Statuses {
    #[serde(default)]
    statuses: Option<Vec<Status>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    entry_id: String,
    #[serde(default)]
    status: String,
}

fn outcomes(batch: &[Delivery], answer: &Bytes) -> Vec<DeliveryOutcome> {
    let statuses = match serde_json::from_slice::<Statuses>(answer) {
        Ok(answer) => answer.statuses.unwrap_or_default(),
        Err(error) => {
            let reason = format!("the app's answer to a batch cannot be read: {error}");
            return vec![DeliveryOutcome::Retry(reason); batch.len()];
        }
    };
    let by_entry: HashMap<&str, &str> = statuses
        .iter()
        .map(|own| (own.entry_id.as_str(), own.status.as_str()))
        .collect();
    let of_entry = |delivery: &Delivery| match by_entry.get(&*delivery.id) {
        None | Some(&"") => DeliveryOutcome::Retry("the app gave this entry no status".into()),
        Some(status) => of_status(status),
    };
    batch.iter().map(of_entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_blocks::CloudEvent;
    use berth_telemetry::trace::Trace;
    use serde_json::{Value, json};

    fn delivery(id: &str, event: CloudEvent, envelope: Bytes, raw: bool) -> Delivery {
        Delivery {
            id: id.into(),
            pubsub: "pubsub".into(),
            topic: "orders".into(),
            route: "/orders".into(),
            attempt: 1,
            event,
            envelope,
            raw,
            metadata: vec![("key".to_owned(), "k".to_owned())],
            trace: Trace::generate(),
        }
    }

    fn event(id: &str) -> Delivery {
        let json = format!(
            r#"{{"specversion":"1.0","type":"t","source":"s","id":"{id}","data":{{"n":1.50}}}}"#
        );
        let parsed = CloudEvent::parse(json.as_bytes()).unwrap();
        delivery(id, parsed, json.into(), false)
    }

    fn raw(id: &str) -> Delivery {
        let data = Bytes::from_static(b"\xff\x00");
        let (event, envelope) = CloudEvent::from_raw(data, "pubsub", "orders");
        delivery(id, event, envelope, true)
    }

    #[test]
    fn a_batch_has_the_form_that_dapr_gives_it() {
        let body = envelope(&[event("a"), raw("b")]).unwrap();
        // The event is passed on as it is written.
        assert!(String::from_utf8_lossy(&body).contains(r#""data":{"n":1.50}"#));
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        assert_ne!(body["id"].take(), "");
        let expected = json!({
            "id": null,
            "entries": [
                {
                    "entryId": "a",
                    "event": {"specversion": "1.0", "type": "t", "source": "s", "id": "a", "data": {"n": 1.50}},
                    "contentType": "application/cloudevents+json",
                    "metadata": {"key": "k"},
                },
                {
                    "entryId": "b",
                    "event": "/wA=",
                    "contentType": "application/octet-stream",
                    "metadata": {"key": "k"},
                },
            ],
            "metadata": {"pubsubName": "pubsub"},
            "pubsubname": "pubsub",
            "topic": "orders",
            "type": "com.dapr.event.sent.bulk",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn each_entry_has_its_own_answer_and_none_means_again() {
        let answer = json!({ "statuses": [
            {"entryId": "a", "status": "SUCCESS"},
            {"entryId": "b", "status": "DROP"},
            {"entryId": "c", "status": "RETRY"},
            {"entryId": "d", "status": ""},
            {"entryId": "f", "status": "MAYBE"},
            {"entryId": "stranger", "status": "DROP"},
        ]});
        let batch = ["a", "b", "c", "d", "e", "f"].map(event);
        assert_eq!(
            kinds(&batch, answer.to_string()),
            ["success", "drop", "retry", "retry", "retry", "retry"]
        );
    }

    #[test]
    fn a_batch_whose_answer_cannot_be_read_comes_again() {
        let batch = ["a", "b"].map(event);
        for answer in [
            "",
            "OK",
            "[]",
            r#"{"statuses":7}"#,
            "{}",
            r#"{"statuses":null}"#,
        ] {
            assert_eq!(
                kinds(&batch, answer.to_owned()),
                ["retry", "retry"],
                "{answer}"
            );
        }
    }

    fn kinds(batch: &[Delivery], answer: String) -> Vec<&'static str> {
        let kind = |outcome: &DeliveryOutcome| match outcome {
            DeliveryOutcome::Success => "success",
            DeliveryOutcome::Drop(_) => "drop",
            DeliveryOutcome::Retry(_) => "retry",
            DeliveryOutcome::Failed { .. } | DeliveryOutcome::Busy => "other",
        };
        outcomes(batch, &answer.into()).iter().map(kind).collect()
    }
}
