use super::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Example {
    host: String,
    #[serde(default, alias = "attempts")]
    retries: Option<u32>,
    #[serde(default, alias = "enableTLS", alias = "useSSL")]
    tls: bool,
    #[serde(default)]
    timeout: Option<DurationOrSeconds>,
    #[serde(default)]
    limit: Option<Size>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    brokers: Vec<String>,
    #[serde(default)]
    password: Option<Confidential>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Wal,
    Delete,
}

fn read(value: Value) -> Result<Example, String> {
    let Value::Object(metadata) = value else {
        panic!("an object")
    };
    parse(&metadata).map_err(|error| error.to_string())
}

#[test]
fn text_becomes_the_type_of_the_field() {
    let example = read(serde_json::json!({
        "host": 5, "retries": "3", "tls": "Yes", "timeout": "1m30s", "limit": "64Mi", "mode": "DELETE",
        "brokers": "a:1, b:2", "password": "x",
    }))
    .unwrap();
    assert_eq!(example.host, "5");
    assert_eq!(example.retries, Some(3));
    assert!(example.tls);
    assert_eq!(
        example.timeout,
        Some(DurationOrSeconds(Duration::from_secs(90)))
    );
    assert_eq!(example.limit, Some(Size(64 << 20)));
    assert_eq!(example.mode, Mode::Delete);
    assert_eq!(example.brokers, ["a:1", "b:2"]);
    assert_eq!(format!("{:?}", example.password), "Some(Confidential(***))");
}

#[test]
fn an_error_names_the_entry_and_what_was_expected() {
    let errors: Vec<String> = [
        serde_json::json!({}),
        serde_json::json!({"host": "a", "retries": "many"}),
        serde_json::json!({"host": "a", "tls": "perhaps"}),
        serde_json::json!({"host": "a", "timeout": "soon"}),
        serde_json::json!({"host": "a", "limit": "big"}),
        serde_json::json!({"host": "a", "mode": "rollback"}),
        serde_json::json!({"host": "a", "tls": "1", "useSSL": "1"}),
        serde_json::json!({"host": "a", "nothing": "1"}),
    ]
    .into_iter()
    .map(|value| read(value).unwrap_err())
    .collect();
    assert_eq!(
        errors,
        [
            "metadata `host`: missing, but required",
            "metadata `retries`: `many` is not a whole number from 0 to 4294967295",
            "metadata `tls`: `perhaps` is not a boolean: expected `true` or `false`",
            "metadata `timeout`: expected a duration such as `500ms`, `5s` or `1h30m`, found `soon`",
            "metadata `limit`: expected a size such as `64Mi`, found `big`",
            "metadata `mode`: `rollback` is not one of: wal, delete",
            "metadata `tls`: given twice, under two of its names",
            "metadata `nothing`: unknown, expected one of: host, attempts, retries, enableTLS, tls, useSSL, timeout, \
             limit, mode, brokers, password",
        ]
    );
}

#[test]
fn durations_have_units_or_count_the_bare_unit() {
    let second = Duration::from_secs(1);
    assert_eq!(duration("1.5h", second), Ok(Duration::from_secs(5400)));
    assert_eq!(duration("250ms", second), Ok(Duration::from_millis(250)));
    assert_eq!(duration("20", second), Ok(Duration::from_secs(20)));
    assert!(duration("", second).is_err());
    assert!(duration("5x", second).is_err());
    assert!(duration("-5s", second).is_err());
    assert!(duration("99999999999999999999h", second).is_err());
}

#[test]
fn the_names_of_a_struct_are_its_fields_and_their_aliases() {
    let names: Vec<_> = names::<Example>()
        .into_iter()
        .map(|entry| format!("{}{:?}", entry.name, entry.aliases))
        .collect();
    assert_eq!(
        names,
        [
            "brokers[]",
            "host[]",
            "limit[]",
            "mode[]",
            "password[]",
            r#"retries["attempts"]"#,
            "timeout[]",
            r#"tls["enableTLS", "useSSL"]"#,
        ]
    );
}
