//! Instances and histories for people.

use crate::{commands::or_dash, ui};
use berth_gateway::admin::reports::{WorkflowEventReport, WorkflowPageReport, WorkflowReport};
use serde_json::Value;

/// Characters of a payload in a list.
const PAYLOAD_MAX: usize = 100;

/// Instances, one a line.
pub fn table(page: &WorkflowPageReport) -> String {
    if page.instances.is_empty() {
        return "no instances".to_owned();
    }
    let rows = page.instances.iter().map(|instance| {
        let waits = instance.waiting_on.clone().or(instance.problem.clone());
        let waits = waits.unwrap_or_default();
        [
            instance.instance_id.clone(),
            instance.app_id.clone(),
            instance.workflow.clone(),
            instance.status.clone(),
            or_dash(first_line(&waits)),
            instance.updated_at.clone(),
        ]
    });
    let names = [
        "INSTANCE",
        "APP",
        "WORKFLOW",
        "STATUS",
        "WAITS FOR",
        "UPDATED",
    ];
    let mut text = ui::table(names, rows);
    if let Some(next) = &page.next {
        text.push_str(&format!("\nmore: --token {next}"));
    }
    text
}

/// Everything about one instance.
pub fn sheet(instance: &WorkflowReport) -> String {
    let mut lines = vec![
        format!("{} {}", instance.workflow, instance.instance_id),
        format!("status    {}", instance.status),
    ];
    let mut add = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            lines.push(format!("{name:<10}{text}"));
        }
    };
    add("custom", instance.custom_status.clone());
    let since = instance.waiting_since.clone().unwrap_or_default();
    let waits = instance.waiting_on.clone();
    add("waits for", waits.map(|on| format!("{on}, since {since}")));
    add("problem", instance.problem.clone());
    add("input", instance.input.as_ref().map(Value::to_string));
    add("output", instance.output.as_ref().map(Value::to_string));
    add("failure", instance.failure.clone());
    add("events", Some(instance.events.to_string()));
    add("created", Some(instance.created_at.clone()));
    add("updated", Some(instance.updated_at.clone()));
    lines.join("\n")
}

/// A history, one event a line.
pub fn events(events: &[WorkflowEventReport]) -> String {
    let rows = events.iter().map(|event| {
        [
            event.number.to_string(),
            event.at.clone(),
            event.kind.clone(),
            or_dash(fields(&event.fields)),
            or_dash(event.payload.as_ref().map(short).unwrap_or_default()),
        ]
    });
    ui::table(["EVENT", "AT", "KIND", "WHAT", "PAYLOAD"], rows)
}

/// `name=charge attempt=2`, without what is a matter of the engine.
fn fields(fields: &Value) -> String {
    let internal = ["execution", "seed", "traceparent", "generation", "queued"];
    let pairs = fields.as_object().into_iter().flatten();
    let shown = pairs
        .filter(|(name, _)| !internal.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={}", field(name, value)));
    shown.collect::<Vec<_>>().join(" ")
}

fn field(name: &str, value: &Value) -> String {
    match (name, value.as_str()) {
        (_, Some(text)) => text.to_owned(),
        ("retry", _) => attempts(value),
        ("failure", _) => failure(value),
        _ => short(value),
    }
}

/// `(4 attempts, 200ms apart, then x2, at most 10s)`.
fn attempts(retry: &Value) -> String {
    let text = |name: &str| retry[name].as_str();
    let attempts = retry["maxAttempts"].as_u64();
    let mut parts = vec![match attempts {
        Some(1) => return "(1 attempt)".to_owned(),
        Some(attempts) => format!("{attempts} attempts"),
        None => "until it succeeds".to_owned(),
    }];
    parts.extend(text("firstInterval").map(|pause| format!("{pause} apart")));
    let backoff = retry["backoff"].as_f64().filter(|factor| *factor > 1.0);
    parts.extend(backoff.map(|factor| format!("then x{factor}")));
    parts.extend(text("maxInterval").map(|pause| format!("at most {pause}")));
    parts.extend(text("totalTimeout").map(|time| format!("within {time}")));
    format!("({})", parts.join(", "))
}

/// `(payment-refused: too little money)`.
fn failure(failure: &Value) -> String {
    let part = |name: &str| failure[name].as_str().unwrap_or_default();
    format!("({}: {})", part("type"), part("message"))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= PAYLOAD_MAX {
        return text;
    }
    let cut: String = text.chars().take(PAYLOAD_MAX).collect();
    format!("{cut}...")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_history_reads_like_a_story() {
        let event = |number, kind: &str, fields, payload| WorkflowEventReport {
            number,
            at: "2026-01-01T00:00:00Z".to_owned(),
            kind: kind.to_owned(),
            fields,
            payload,
        };
        let story = [
            event(
                0,
                "started",
                json!({"workflow": "order", "execution": "x"}),
                Some(json!({"id": 1})),
            ),
            event(
                1,
                "activity-scheduled",
                json!({"name": "charge", "retry": {
                    "maxAttempts": 4, "firstInterval": "200ms", "backoff": 2.0, "maxInterval": "10s",
                }}),
                Some(json!(5)),
            ),
            event(
                2,
                "activity-failed",
                json!({"of": 1, "failure": {"type": "broke", "message": "no money"}}),
                None,
            ),
            event(
                3,
                "activity-scheduled",
                json!({"name": "undo", "retry": {"firstInterval": "1s", "backoff": 1.0}}),
                None,
            ),
        ];
        insta::assert_snapshot!(events(&story), @r#"
        EVENT  AT                    KIND                WHAT                                                               PAYLOAD
        0      2026-01-01T00:00:00Z  started             workflow=order                                                     {"id":1}
        1      2026-01-01T00:00:00Z  activity-scheduled  name=charge retry=(4 attempts, 200ms apart, then x2, at most 10s)  5
        2      2026-01-01T00:00:00Z  activity-failed     of=1 failure=(broke: no money)                                     -
        3      2026-01-01T00:00:00Z  activity-scheduled  name=undo retry=(until it succeeds, 1s apart)                      -
        "#);
    }
}
