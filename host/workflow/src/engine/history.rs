//! Histories as people and tools see them: names in full, times in RFC 3339, durations such as `200ms`.

use crate::{ActivityOptions, Dispatch, Event, EventKind, Failure, RetryPolicy};
use berth_blocks::workflow::{HistoryEvent, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// An event: the name of its kind, and its fields; what an event does not have is left out.
pub(super) fn shown(event: Event) -> HistoryEvent {
    let mut fields = fields(&event.kind);
    leave_out_nulls(&mut fields);
    HistoryEvent {
        at: event.at,
        kind: name(&event.kind),
        fields,
        payload: event.payload,
    }
}

/// The name that the kind has in stored histories, too.
fn name(kind: &EventKind) -> String {
    let stored = serde_json::to_value(kind).unwrap_or_default();
    let name = stored.as_object().and_then(|object| object.keys().next());
    name.cloned().unwrap_or_default()
}

fn fields(kind: &EventKind) -> Value {
    use EventKind as K;
    match kind {
        K::Started(start) => json!({
            "workflow": start.workflow,
            "execution": start.execution,
            "seed": start.seed,
            "startAt": start.start_at.map(time),
            "parent": start.parent.as_ref().map(|parent| json!({
                "appId": parent.app,
                "instanceId": parent.id,
                "execution": parent.execution,
                "operation": parent.operation,
            })),
            "generation": start.generation,
            "traceparent": start.traceparent,
        }),
        K::ActivityScheduled(activity) => {
            let options = activity.options.as_deref();
            json!({
                "name": activity.name,
                "appId": options.and_then(|options| options.app.as_deref()),
                "retry": options.map(|options| retry(&options.retry)),
                "startToClose": options.and_then(|options| options.start_to_close).map(duration),
                "recordIntent": options.and_then(record_intent),
                "queued": (activity.queued || options.is_some_and(is_queued)).then_some(true),
                "inputReplaced": activity.input_replaced.then_some(true),
            })
        }
        K::ActivityStarted { of, attempt } => json!({"of": of, "attempt": attempt}),
        K::ActivityRetrying {
            of,
            attempt,
            failure: why,
            retry_at,
        } => json!({
            "of": of,
            "attempt": attempt,
            "failure": failure(why),
            "retryAt": time(*retry_at),
        }),
        K::ChildRetrying {
            of,
            attempt,
            failure: why,
            id,
            retry_at,
        } => json!({
            "of": of,
            "attempt": attempt,
            "failure": failure(why),
            "instanceId": id,
            "retryAt": time(*retry_at),
        }),
        K::ActivityCompleted { of } | K::TimerFired { of } | K::ChildCompleted { of } => {
            json!({"of": of})
        }
        K::ActivityFailed { of, failure: why } | K::ChildFailed { of, failure: why } => {
            json!({"of": of, "failure": failure(why)})
        }
        K::TimerCreated { due } => json!({"due": time(*due)}),
        K::EventAwaited { name, due } => json!({"name": name, "due": due.map(time)}),
        K::EventRaised { name } => json!({"name": name}),
        K::ChildScheduled(child) => json!({
            "name": child.name,
            "appId": child.app,
            "instanceId": child.id,
            "retry": child.retry.as_deref().map(retry),
        }),
        K::Patched { id } => json!({"id": id}),
        K::CancelRequested { reason } | K::Suspended { reason } | K::Resumed { reason } => {
            json!({"reason": reason})
        }
    }
}

/// A bound that nothing reaches is none.
fn retry(policy: &RetryPolicy) -> Value {
    json!({
        "maxAttempts": (policy.max_attempts < u32::MAX).then_some(policy.max_attempts),
        "firstInterval": duration(policy.first_interval),
        "backoff": policy.backoff,
        "maxInterval": policy.max_interval.map(duration),
        "totalTimeout": policy.total_timeout.map(duration),
        "nonRetryable": (!policy.non_retryable.is_empty()).then_some(&policy.non_retryable),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "type": failure.kind,
        "message": failure.message,
        "nonRetryable": failure.non_retryable.then_some(true),
    })
}

fn record_intent(options: &ActivityOptions) -> Option<bool> {
    options.record_intent.then_some(true)
}

fn is_queued(options: &ActivityOptions) -> bool {
    options.dispatch == Dispatch::Queued
}

fn time(millis: i64) -> String {
    Timestamp(millis).to_string()
}

fn duration(duration: Duration) -> String {
    format!("{duration:?}")
}

fn leave_out_nulls(value: &mut Value) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    object.retain(|_, value| !value.is_null());
    object.values_mut().for_each(leave_out_nulls);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ActivityScheduled;

    fn fields_of(kind: EventKind) -> Value {
        shown(Event::new(Timestamp(0), kind)).fields
    }

    #[test]
    fn an_activity_says_how_it_is_attempted() {
        let options = ActivityOptions {
            retry: RetryPolicy {
                first_interval: Duration::from_millis(200),
                max_interval: Some(Duration::from_secs(10)),
                ..RetryPolicy::default()
            },
            ..ActivityOptions::default()
        };
        let activity = |options| {
            fields_of(EventKind::ActivityScheduled(ActivityScheduled {
                name: "pay".to_owned(),
                options,
                queued: false,
                input_replaced: false,
            }))
        };
        assert_eq!(activity(None), json!({"name": "pay"}));
        let retry = json!({"maxAttempts": 3, "firstInterval": "200ms", "backoff": 2.0, "maxInterval": "10s"});
        assert_eq!(
            activity(Some(Box::new(options.clone()))),
            json!({"name": "pay", "retry": retry})
        );
        let mut endless = options;
        endless.retry.max_attempts = u32::MAX;
        let endless = activity(Some(Box::new(endless)));
        assert_eq!(endless["retry"].get("maxAttempts"), None);
    }

    #[test]
    fn failures_and_times_are_written_out() {
        let failed = EventKind::ActivityRetrying {
            of: 1,
            attempt: 2,
            failure: Failure::new("broke", "no money"),
            retry_at: 1_500,
        };
        let why = json!({"type": "broke", "message": "no money"});
        assert_eq!(
            fields_of(failed),
            json!({"of": 1, "attempt": 2, "failure": why, "retryAt": "1970-01-01T00:00:01.5Z"})
        );
    }

    #[test]
    fn a_kind_has_its_stored_name() {
        let event = Event::new(Timestamp(0), EventKind::TimerFired { of: 3 });
        assert_eq!(shown(event).kind, "timer-fired");
    }
}
