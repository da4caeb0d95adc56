//! Everything but the answer: state, messages, calls, logs, workflows.

use super::Problem;
use crate::{
    World,
    journal::{Records, readable},
    matching::{describe, differences, matches, short},
};
use berth_resources::{
    Origin, did_you_mean,
    scenario::{Checks, Expected, Invoked, Lines, Pattern, Published, WorkflowCheck},
};
use serde_json::{Value, json};

/// What does not hold of a world.
pub(crate) fn check_world(checks: &Checks, world: &World) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_state(checks, world, &mut problems);
    let records = world.records();
    for published in &checks.published {
        problems.extend(check_published(published, &records));
    }
    for invoked in &checks.invocations {
        problems.extend(check_invoked(invoked, &records));
    }
    let lines: Vec<_> = records.lines.iter().map(|line| line.text.clone()).collect();
    check_lines("log", &checks.logs, &lines, &mut problems);
    check_lines("spans", &checks.spans, &records.spans, &mut problems);
    for calls in &checks.calls {
        let meant = records
            .calls
            .iter()
            .filter(|call| calls.call.matches(call.operation));
        let meant: Vec<_> = meant.collect();
        if !calls.count.0.contains(&count(meant.len())) {
            let message = format!(
                "guests made {} calls of `{}`, expected {}",
                meant.len(),
                calls.call.as_str(),
                calls.count
            );
            let listed = meant.iter().take(20).map(|call| format!("- {call}"));
            problems.push(Problem::new(&calls.origin, message).with(listed));
        }
    }
    for workflow in &checks.workflows {
        problems.extend(check_workflow(workflow, world));
    }
    problems
}

fn check_state(checks: &Checks, world: &World, problems: &mut Vec<Problem>) {
    for (store, values, origin) in &checks.state {
        for (key, pattern) in values {
            match world.get(store, key) {
                Err(error) => {
                    problems.push(Problem::new(
                        origin,
                        format!("state cannot be read: {error}"),
                    ));
                    break;
                }
                Ok(found) => {
                    let differences = differences(pattern, found.as_ref());
                    let what = format!("key `{key}` of `{}`", store.name);
                    let problem = Problem::of_differences(&pattern.origin, &what, &differences);
                    problems.extend(problem);
                }
            }
        }
    }
}

fn check_published(published: &Published, records: &Records) -> Option<Problem> {
    let meant = records.published.iter().filter(|message| {
        message.topic == published.topic
            && published
                .pubsub
                .as_ref()
                .is_none_or(|pubsub| *pubsub == message.pubsub)
    });
    let data: Vec<_> = meant.map(crate::PublishedMessage::data).collect();
    let what = format!("what was published to `{}`", published.topic);
    let problem = check_items(&published.expected, data.clone(), &what, &published.origin)?;
    let topics = records
        .published
        .iter()
        .map(|message| message.topic.as_str());
    if data.is_empty() {
        let meant = did_you_mean(&published.topic, topics);
        return Some(problem.with((!meant.is_empty()).then(|| format!("nothing at all{meant}"))));
    }
    Some(problem)
}

fn check_invoked(invoked: &Invoked, records: &Records) -> Option<Problem> {
    let of = invoked.of.to_ascii_lowercase();
    let meant = records
        .invocations
        .iter()
        .filter(|call| call.of.to_ascii_lowercase() == of);
    let requests = meant.map(crate::Invocation::seen).collect();
    let what = format!("what `{}` was asked", invoked.of);
    check_items(&invoked.expected, requests, &what, &invoked.origin)
}

fn check_items(
    expected: &Expected,
    found: Vec<Value>,
    what: &str,
    origin: &Origin,
) -> Option<Problem> {
    match expected {
        Expected::Count(wanted) => {
            if wanted.0.contains(&count(found.len())) {
                return None;
            }
            let message = format!("{what}: {} found, expected {wanted}", found.len());
            let listed = found
                .iter()
                .take(20)
                .map(|item| format!("- {}", short(item)));
            Some(Problem::new(origin, message).with(listed))
        }
        Expected::Items(pattern) => {
            let found = Value::Array(found);
            let differences = differences(pattern, Some(&found));
            Problem::of_differences(&pattern.origin, what, &differences)
        }
    }
}

fn check_lines(what: &str, expected: &Lines, found: &[String], problems: &mut Vec<Problem>) {
    let line = |text: &String| Value::String(text.clone());
    for pattern in &expected.contain {
        if !found.iter().any(|text| matches(pattern, Some(&line(text)))) {
            let message = format!("no line of the {what} is {}", describe(pattern));
            let last = found.iter().rev().take(10).rev();
            let listed = last.map(|text| format!("- {text}"));
            problems.push(Problem::new(&pattern.origin, message).with(listed));
        }
    }
    for pattern in &expected.lack {
        let wrong = found
            .iter()
            .filter(|text| matches(pattern, Some(&line(text))));
        let wrong: Vec<_> = wrong.take(5).map(|text| format!("- {text}")).collect();
        if !wrong.is_empty() {
            let message = format!("a line of the {what} is {}", describe(pattern));
            problems.push(Problem::new(&pattern.origin, message).with(wrong));
        }
    }
}

fn check_workflow(check: &WorkflowCheck, world: &World) -> Vec<Problem> {
    let what = format!("workflow `{}`", check.id);
    let instance = match world.instance(check.app.as_ref(), &check.id) {
        Ok(Some(instance)) => instance,
        Ok(None) => {
            let known: Vec<_> = world.instances();
            let names = known.iter().map(|key| &*key.id);
            let meant = did_you_mean(&check.id, names);
            let message = format!("there is no {what}{meant}");
            return vec![Problem::new(&check.origin, message)];
        }
        Err(error) => return vec![Problem::new(&check.origin, error)],
    };
    let state = &instance.view.row.state;
    let mut problems = Vec::new();
    if let Some((status, origin)) = &check.status
        && state.status.name() != status
    {
        let message = format!("{what} is {}, expected {status}", state.status);
        let waits = state.waiting.as_ref();
        let waits = waits.map(|waiting| format!("it waits for {}", waiting.on));
        let why = state.problem.clone();
        let failed = match &instance.view.outcome {
            Some(Err(failure)) => Some(format!("it failed: {failure}")),
            _ => None,
        };
        let details = waits.into_iter().chain(why).chain(failed);
        problems.push(Problem::new(origin, message).with(details));
    }
    let outcome = instance.view.outcome.as_ref();
    let output = match outcome {
        Some(Ok(payload)) => Some(readable(&payload.data)),
        _ => None,
    };
    let failure = match outcome {
        Some(Err(failure)) => Some(json!({ "kind": failure.kind, "message": failure.message })),
        _ => None,
    };
    let custom = state.custom_status.clone().map(Value::String);
    let kinds = instance.history.iter().map(|event| event.kind.clone());
    let history = Value::Array(kinds.map(Value::String).collect());
    let activities = instance
        .history
        .iter()
        .filter(|event| event.kind == "activity-scheduled");
    let names = activities.map(|event| event.fields["name"].clone());
    let activities = Value::Array(names.collect());
    let mut look = |part: &str, pattern: &Option<Pattern>, found: Option<&Value>| {
        if let Some(pattern) = pattern {
            let what = format!("{part} of {what}");
            let differences = differences(pattern, found);
            problems.extend(Problem::of_differences(
                &pattern.origin,
                &what,
                &differences,
            ));
        }
    };
    look("output", &check.output, output.as_ref());
    look("failure", &check.failure, failure.as_ref());
    look("custom status", &check.custom_status, custom.as_ref());
    look("history", &check.history, Some(&history));
    look("activities", &check.activities, Some(&activities));
    problems
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
