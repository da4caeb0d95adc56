//! The answer to a request.

use super::Problem;
use crate::{Answer, matching::differences};
use berth_resources::scenario::Checks;
use serde_json::Value;

/// What is not as expected of an answer.
pub(crate) fn check_answer(checks: &Checks, answer: &Answer) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(status) = &checks.status
        && status.value != answer.status
    {
        let message = format!("status is {}, expected {}", answer.status, status.value);
        problems.push(Problem::new(&status.origin, message).with([shown(answer)]));
    }
    for (name, pattern) in &checks.headers {
        let mut headers = answer.headers.iter();
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        let found = found.map(|(_, value)| Value::String(value.clone()));
        let differences = differences(pattern, found.as_ref());
        let what = format!("header `{name}`");
        problems.extend(Problem::of_differences(
            &pattern.origin,
            &what,
            &differences,
        ));
    }
    if let Some(pattern) = &checks.body {
        let text = Value::String(answer.text());
        let differences = differences(pattern, Some(&text));
        problems.extend(Problem::of_differences(
            &pattern.origin,
            "the body",
            &differences,
        ));
    }
    if let Some(pattern) = &checks.json {
        match answer.json() {
            Ok(json) => {
                let differences = differences(pattern, Some(&json));
                let problem = Problem::of_differences(&pattern.origin, "the body", &differences);
                problems.extend(problem);
            }
            Err(error) => {
                let message = format!("the body is no JSON: {error}");
                problems.push(Problem::new(&pattern.origin, message).with([shown(answer)]));
            }
        }
    }
    problems
}

/// The body, for people who wonder about the status.
fn shown(answer: &Answer) -> String {
    const LONGEST: usize = 500;
    let text = answer.text();
    let cut: String = text.chars().take(LONGEST).collect();
    match cut.trim() {
        "" => "the body is empty".to_owned(),
        text => format!("the body is {text}"),
    }
}
