//! Sweeps: a scenario again and again, disturbed at another place each time, with the same outcome.
//!
//! A crash ends the host at a block call, before or after its effect. Another host begins on the same backends; the
//! client of a request that got no answer sends it again, brokers deliver again, workflows go on. What is delivered at
//! least once may be published more than once, so equal messages count once; a request to another app counts each time,
//! unless it is a read, or its canned answer knows it by an idempotency key.

use crate::{
    Kit, Problem, World,
    matching::exact,
    picture::Picture,
    play::{Mode, Played, play},
};
use berth_resources::scenario::{Moment, Scenario, Sweep};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

/// Problems of so many disturbed runs are told.
const TOLD_MAX: usize = 3;

/// What came of a sweep.
pub(crate) struct Swept {
    pub(crate) runs: usize,
    pub(crate) problems: Vec<Problem>,
}

/// Runs a scenario once for each place where it can be disturbed.
pub(crate) fn sweep(
    kit: &Kit,
    folder: &Path,
    scenario: &Scenario,
    Sweep::Crash: Sweep,
    undisturbed: &Played,
) -> Swept {
    let expected = outcome(&undisturbed.world, &undisturbed.picture);
    let mut swept = Swept {
        runs: 0,
        problems: Vec::new(),
    };
    for (number, call) in undisturbed.calls.iter().enumerate() {
        for moment in moments(call.operation) {
            swept.runs += 1;
            let when = match moment {
                Moment::Before => "before",
                Moment::After => "after",
            };
            let what = format!(
                "a crash {when} block call {} of {} ({call}) changes the outcome",
                number + 1,
                undisturbed.calls.len()
            );
            let problem = Problem::new(&scenario.origin, what);
            let played = play(kit, folder, scenario, Mode::Crashed(number, *moment));
            let problem = match played {
                Err(problems) => Some(problem.with(problems.iter().map(ToString::to_string))),
                Ok(played) if !played.problems.is_empty() => {
                    let texts = played.problems.iter().map(ToString::to_string);
                    Some(problem.with(texts))
                }
                Ok(played) => {
                    let mut differences = Vec::new();
                    let found = outcome(&played.world, &played.picture);
                    exact("$", &expected, &found, &mut differences);
                    let lines = differences.iter().flat_map(|difference| {
                        let text = difference.to_string();
                        text.lines().map(str::to_owned).collect::<Vec<_>>()
                    });
                    let lines: Vec<_> = lines.collect();
                    (!lines.is_empty()).then(|| problem.with(lines))
                }
            };
            swept.problems.extend(problem);
            if swept.problems.len() >= TOLD_MAX {
                return swept;
            }
        }
    }
    swept
}

/// A read has no effect: before and after are one.
fn moments(operation: &str) -> &'static [Moment] {
    let name = operation.split('.').next_back().unwrap_or_default();
    match name {
        "get" | "bulk_get" | "list_keys" | "bulk" | "wait" => &[Moment::Before],
        _ => &[Moment::Before, Moment::After],
    }
}

/// What has to be the same however often something was tried.
fn outcome(world: &World, picture: &Picture) -> Value {
    let records = world.records();
    let mut effects = BTreeMap::<_, BTreeMap<_, usize>>::new();
    let counted = records.invocations.iter().filter(|call| {
        let is_read = matches!(call.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        // What a guest does with a request shows in its state.
        !is_read && !call.repeated && world.is_canned(&call.of)
    });
    for call in counted {
        let body = neutral(&crate::journal::readable(&call.body)).to_string();
        let request = format!("{} {} {body}", call.method, neutral_text(&call.path));
        let of = effects.entry(call.of.clone()).or_default();
        *of.entry(request).or_default() += 1;
    }
    let published = picture.published.iter().map(|(topic, data)| {
        let mut data: Vec<_> = data.iter().map(|data| neutral(data).to_string()).collect();
        data.sort();
        data.dedup();
        (topic, data)
    });
    let answered = |answer: &Value| answer["status"].as_u64().is_some_and(|status| status < 400);
    let answers: Vec<_> = picture.answers.iter().map(answered).collect();
    json!({
        "state": neutral(&json!(picture.state)),
        "workflows": neutral(&json!(picture.workflows)),
        "published": published.collect::<BTreeMap<_, _>>(),
        "effects": effects,
        "requests that succeeded": answers,
    })
}

/// Without what is another one each time: UUIDs, and points in time.
fn neutral(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(neutral_text(text)),
        Value::Array(items) => Value::Array(items.iter().map(neutral).collect()),
        Value::Object(fields) => {
            let mut counts = BTreeMap::<String, usize>::new();
            let fields = fields.iter().map(|(name, value)| {
                let name = neutral_text(name);
                let count = counts.entry(name.clone()).or_default();
                *count += 1;
                let name = match *count {
                    1 => name,
                    // Two keys that differ in such a part are two.
                    count => format!("{name}#{count}"),
                };
                (name, neutral(value))
            });
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn neutral_text(text: &str) -> String {
    use std::sync::LazyLock;
    static MOVING: LazyLock<[(regex::Regex, &'static str); 2]> = LazyLock::new(|| {
        let compiled = |text| regex::Regex::new(text).expect("it is tested");
        let uuid = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
        let time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)";
        [(compiled(uuid), "<uuid>"), (compiled(time), "<time>")]
    });
    let mut text = text.to_owned();
    for (regex, word) in MOVING.iter() {
        text = regex.replace_all(&text, *word).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_another_one_each_time_is_neutral_and_two_stay_two() {
        let value = json!({
            "order-1b4e28ba-2fa1-11d2-883f-0016d3cca427": "2026-01-01T00:00:00.5Z",
            "order-6b29fc40-ca47-1067-b31d-00dd010662da": 1,
        });
        let expected = json!({ "order-<uuid>": "<time>", "order-<uuid>#2": 1 });
        assert_eq!(neutral(&value), expected);
    }
}
