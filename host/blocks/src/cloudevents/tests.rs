use super::*;
use berth_telemetry::trace::{Origin, Trace};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn wrap_with(
    data: &[u8],
    content_type: Option<&str>,
    metadata: &[(&str, &str)],
) -> Result<Bytes, String> {
    let metadata: Vec<_> = metadata
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let envelope = Envelope {
        source: "orders",
        topic: "t",
        pubsub: "pubsub",
        trace: &Trace::remote(Origin::of_texts(TRACE, "", "")),
        expires_in: None,
        metadata: &metadata,
    };
    envelope.wrap(Bytes::copy_from_slice(data), content_type)
}

fn json_of(event: &Bytes) -> Value {
    serde_json::from_slice(event).unwrap()
}

fn wrap(data: &[u8], content_type: Option<&str>) -> Value {
    json_of(&wrap_with(data, content_type, &[]).unwrap())
}

#[test]
fn the_envelope_is_daprs() {
    let mut event = wrap(b"hi", None);
    let members = event.as_object_mut().unwrap();
    let id = members.remove("id").unwrap();
    assert_eq!(
        uuid::Uuid::parse_str(id.as_str().unwrap())
            .unwrap()
            .get_version_num(),
        4
    );
    let time = members.remove("time").unwrap();
    assert_eq!(time.as_str().unwrap().len(), "2026-01-01T00:00:00Z".len());
    assert_eq!(
        event,
        json!({
            "source": "orders", "specversion": "1.0", "type": "com.dapr.event.sent", "datacontenttype": "text/plain",
            "topic": "t", "pubsubname": "pubsub", "traceid": TRACE, "traceparent": TRACE, "tracestate": "", "data": "hi",
        })
    );
}

#[test]
fn the_content_type_decides_how_data_is_held() {
    assert_eq!(
        wrap(b"{\"a\": 1}", Some("application/json"))["data"],
        json!({"a": 1})
    );
    assert_eq!(
        wrap(b"[1]", Some("application/vnd.x+json; charset=utf-8"))["data"],
        json!([1])
    );
    assert_eq!(
        wrap(b"{broken", Some("application/json"))["data"],
        json!("{broken")
    );
    assert_eq!(
        wrap(b"{\"a\":1}", Some("text/plain"))["data"],
        json!("{\"a\":1}")
    );
    assert_eq!(
        wrap(b"\x00\x01", Some("application/octet-stream"))["data_base64"],
        json!("AAE=")
    );
    assert_eq!(
        wrap(b"\xff", Some("application/cloudevents+protobuf"))["data_base64"],
        json!("/w==")
    );
    assert_eq!(
        wrap(b"\xff", Some("text/plain"))["data_base64"],
        json!("/w==")
    );
    assert_eq!(wrap(b"", Some(""))["datacontenttype"], json!("text/plain"));
}

#[test]
fn numbers_keep_their_digits() {
    let event = wrap_with(
        b"{\"n\": 123456789012345678901234567890.10}",
        Some("application/json"),
        &[],
    )
    .unwrap();
    let event = CloudEvent::parse(&event).unwrap();
    assert_eq!(event.data, "{\"n\": 123456789012345678901234567890.10}");
}

#[test]
fn metadata_overrides_fields_without_looking_at_case() {
    let overrides = [
        ("CloudEvent.ID", "1"),
        ("cloudevent.source", "s"),
        ("cloudevent.Type", "t"),
        ("cloudevent.subject", "sub"),
        ("cloudevent.traceparent", "tp"),
        ("cloudevent.tracestate", "ts"),
        ("other", "x"),
    ];
    let event = json_of(&wrap_with(b"hi", None, &overrides).unwrap());
    let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        ["id", "source", "type", "subject"].map(field),
        ["1", "s", "t", "sub"]
    );
    assert_eq!(
        ["traceid", "traceparent", "tracestate"].map(field),
        ["tp", "tp", "ts"]
    );
    assert_eq!(event.get("other"), None);
}

#[test]
fn an_event_of_the_publisher_is_filled_not_replaced() {
    let own = br#"{"id":"7","type":"mine","topic":"forged","pubsubname":"forged","data":{"n":1e400},"x":true}"#;
    let wrapped = wrap_with(
        own,
        Some("application/cloudevents+json; charset=utf-8"),
        &[("cloudevent.id", "8")],
    )
    .unwrap();
    let text = std::str::from_utf8(&wrapped).unwrap();
    assert!(text.contains(r#""data":{"n":1e400}"#), "{text}");
    let event = CloudEvent::parse(&wrapped).unwrap();
    assert_eq!(
        (
            event.id.as_str(),
            event.event_type.as_str(),
            event.source.as_str()
        ),
        ("7", "mine", "orders")
    );
    assert_eq!(
        (event.extension("topic"), event.extension("pubsubname")),
        (Some("t"), Some("pubsub"))
    );
    assert_eq!(
        (event.extension("x"), event.extension("traceparent")),
        (Some("true"), Some(TRACE))
    );
    // As in Dapr, an ID is not made up for an event of the publisher.
    let without_id = wrap_with(b"{}", Some(JSON_TYPE), &[]).unwrap();
    assert_eq!(CloudEvent::parse(&without_id).unwrap().id, "");
}

#[test]
fn what_claims_to_be_an_event_and_is_none_is_refused() {
    let error = |data: &str| wrap_with(data.as_bytes(), Some(JSON_TYPE), &[]).unwrap_err();
    assert!(
        error("not json").starts_with("the data is not a CloudEvent: expected"),
        "{}",
        error("not json")
    );
    assert!(
        error("[1]").contains("expected a JSON object"),
        "{}",
        error("[1]")
    );
    assert!(error(r#"{"a":1,"a":2}"#).contains("\"a\" comes twice"));
    assert_eq!(
        error(r#"{"specversion":"2.0"}"#),
        "not a CloudEvent: `specversion` is not `1.0`"
    );
}

#[test]
fn a_broken_event_says_what_is_wrong() {
    let error = |data: &str| CloudEvent::parse(data.as_bytes()).unwrap_err().to_string();
    assert_eq!(error("{}"), "not a CloudEvent: `specversion` is missing");
    assert_eq!(
        error(r#"{"specversion":"0.3"}"#),
        "not a CloudEvent: `specversion` is not `1.0`"
    );
    assert_eq!(
        error(r#"{"specversion":1}"#),
        "not a CloudEvent: `specversion` is not a string"
    );
    assert_eq!(
        error(r#"{"specversion":"1.0","source":""}"#),
        "not a CloudEvent: `source` is missing"
    );
    assert_eq!(
        error(r#"{"specversion":"1.0","source":"s"}"#),
        "not a CloudEvent: `type` is missing"
    );
    let broken = r#"{"specversion":"1.0","source":"s","type":"t","data_base64":"*"}"#;
    assert_eq!(
        error(broken),
        "not a CloudEvent: `data_base64` is not base64"
    );
}

#[test]
fn data_is_json_text_or_the_bytes_of_a_string() {
    let data = |members: &str| {
        let event = format!(r#"{{"specversion":"1.0","source":"s","type":"t",{members}}}"#);
        String::from_utf8(CloudEvent::parse(event.as_bytes()).unwrap().data.to_vec()).unwrap()
    };
    assert_eq!(
        data(r#""data":"text","datacontenttype":"text/plain""#),
        "text"
    );
    assert_eq!(data(r#""data":"text""#), "text");
    assert_eq!(
        data(r#""data":"text","datacontenttype":"application/json""#),
        "\"text\""
    );
    assert_eq!(
        data(r#""data":{"a": [1]},"datacontenttype":"application/json""#),
        "{\"a\": [1]}"
    );
    assert_eq!(
        data(r#""data":null,"datacontenttype":"application/json""#),
        "null"
    );
    assert_eq!(data(r#""data":null"#), "");
    assert_eq!(data(r#""x":1"#), "");
    assert_eq!(data(r#""data_base64":"aGk=""#), "hi");
}

#[test]
fn raw_flags_are_gos_booleans() {
    let raw = |value: &str| is_raw(&[("RawPayload".to_owned(), value.to_owned())]);
    assert_eq!(
        (raw("true"), raw("T"), raw("0")),
        (Ok(true), Ok(true), Ok(false))
    );
    assert_eq!(
        raw("yes").unwrap_err(),
        "metadata rawPayload is `yes`: expected `true` or `false`"
    );
    assert_eq!(is_raw(&[]), Ok(false));
}

#[test]
fn an_event_expires_at_its_moment() {
    let envelope = Envelope {
        source: "",
        topic: "t",
        pubsub: "p",
        trace: &Trace::generate(),
        expires_in: Some(Duration::from_secs(60)),
        metadata: &[],
    };
    let event = CloudEvent::parse(&envelope.wrap("x".into(), None).unwrap()).unwrap();
    assert_eq!(event.source, "Dapr");
    let now = SystemTime::now();
    assert!(!event.is_expired(now + Duration::from_secs(55)));
    assert!(event.is_expired(now + Duration::from_secs(65)));
}

#[test]
fn binary_mode_is_rebuilt() {
    let metadata = [
        ("ce_id", "1"),
        ("ce-source", "s"),
        ("CE_Type", "t"),
        ("ce_specversion", "1.0"),
        ("ce_x", "y"),
    ];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let event = from_binary(&metadata, &"data".into(), Some("text/plain")).unwrap();
    assert_eq!(CloudEvent::parse(&event.to_json()).unwrap(), event);
    assert_eq!(
        (
            event.id.as_str(),
            event.event_type.as_str(),
            event.extension("x")
        ),
        ("1", "t", Some("y"))
    );
    assert_eq!(from_binary(&[], &"data".into(), None), None);
}

fn event() -> impl Strategy<Value = CloudEvent> {
    let text = "\\PC{1,12}";
    let optional = || proptest::option::of(text);
    let content = prop_oneof![
        any::<Vec<u8>>().prop_map(|data| (
            Some("application/octet-stream".to_owned()),
            Bytes::from(data)
        )),
        "\\PC*".prop_map(|data| (Some("text/plain".to_owned()), Bytes::from(data))),
        any::<i64>().prop_map(|data| (
            Some("application/json".to_owned()),
            Bytes::from(format!("{{\"a\":[{data}]}}"))
        )),
    ];
    let extensions = proptest::collection::btree_map("x[a-z]{1,8}", text, 0..4);
    (
        text,
        text,
        text,
        optional(),
        optional(),
        content,
        extensions,
    )
        .prop_map(
            |(id, source, event_type, subject, time, (data_content_type, data), extensions)| {
                CloudEvent {
                    id,
                    source,
                    event_type,
                    spec_version: "1.0".to_owned(),
                    subject,
                    time,
                    data_content_type,
                    data,
                    // Texts that read as JSON values of another kind come back as text all the same.
                    extensions: extensions.into_iter().collect(),
                }
            },
        )
}

proptest! {
    #[test]
    fn an_event_survives_the_wire(event in event()) {
        prop_assert_eq!(CloudEvent::parse(&event.to_json()).unwrap(), event);
    }

    #[test]
    fn a_payload_survives_the_envelope(data in any::<Vec<u8>>(), binary in any::<bool>()) {
        let content_type = if binary { "application/octet-stream" } else { "text/plain" };
        let wrapped = wrap_with(&data, Some(content_type), &[]).unwrap();
        prop_assert_eq!(CloudEvent::parse(&wrapped).unwrap().data, data);
    }

    #[test]
    fn parsing_never_panics(bytes in any::<Vec<u8>>(), text in "\\PC*") {
        let _ = CloudEvent::parse(&bytes);
        let _ = CloudEvent::parse(text.as_bytes());
        let _ = wrap_with(&bytes, Some(JSON_TYPE), &[]);
    }
}
