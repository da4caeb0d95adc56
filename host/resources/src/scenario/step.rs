//! `when`: what happens.

use super::{
    check::Checks,
    fault::Fault,
    message::{Payload, RequestNames, RequestSpec, texts},
    pattern::value,
    workflow::instance,
};
use crate::{AppId, Origin, fields::Fields, node::quote, reader::Reading, value::Field};
use std::{ops::RangeInclusive, time::Duration};

/// Something that happens, and what holds afterwards.
#[derive(Debug, Clone)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// What holds then.
    pub then: Checks,
    /// Where it stands.
    pub origin: Origin,
}

/// What may happen.
#[derive(Debug, Clone)]
pub enum Action {
    /// A request from outside.
    Request(RequestSpec),
    /// A call of another app.
    Invoke(RequestSpec),
    /// A message.
    Publish(Publish),
    /// A workflow starts.
    Start(Start),
    /// An external event.
    Raise {
        /// For whom.
        instance: Instance,
        /// Its name.
        event: String,
        /// What it brings.
        data: Payload,
    },
    /// A workflow instance is asked to cancel.
    Cancel(Instance),
    /// A workflow instance stands still.
    Suspend(Instance),
    /// It goes on.
    Resume(Instance),
    /// It is ended.
    Terminate(Instance),
    /// Time passes.
    Pass(Duration),
    /// Something goes wrong from now on.
    Fault(Vec<Fault>),
    /// Nothing goes wrong any more.
    Mend,
    /// The host ends without a warning, and is started anew.
    Crash,
    /// All at the same time.
    Together(Vec<Step>),
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// The backend.
    pub pubsub: Option<String>,
    /// The topic.
    pub topic: String,
    /// What it brings.
    pub data: Payload,
    /// ID of the event.
    pub id: Option<String>,
    /// As CloudEvents and Dapr name it.
    pub metadata: Vec<(String, String)>,
    /// Without an envelope.
    pub raw: bool,
    /// Who publishes; absent: the app that the scenario is about.
    pub caller: Option<AppId>,
    /// How often.
    pub times: u32,
}

/// A workflow starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Name of the workflow.
    pub workflow: String,
    /// Its instance.
    pub instance: Instance,
    /// What it is given.
    pub input: Payload,
}

/// A workflow instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Whose; absent: the app that the scenario is about.
    pub app: Option<AppId>,
    /// Its ID.
    pub id: String,
}

const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
const TIMES: RangeInclusive<u32> = 1..=10_000;
const HTTP: RequestNames = RequestNames {
    verb: "method",
    path: "path",
    usual_verb: "GET",
};
const INVOCATION: RequestNames = RequestNames {
    verb: "verb",
    path: "method",
    usual_verb: "POST",
};

impl Step {
    pub(super) fn read_all(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<Self> {
        let items = field.items(reading);
        let steps = items
            .into_iter()
            .filter_map(|item| Self::read(item, reading));
        steps.collect()
    }

    fn read(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let origin = reading.origin(field.place());
        let mut fields = field.fields(reading)?;
        let before = reading.findings.len();
        let mut actions = Vec::new();
        let place = fields.place();
        for (name, read) in ACTIONS {
            if let Some(field) = fields.nullable(name) {
                actions.push((name, read(field, reading)));
            }
        }
        let answers = actions.iter().any(|(name, _)| has_answer(name));
        let then = fields.child("then", reading);
        let unknown = fields.has_unknown();
        fields.finish(reading);
        let then = then.map(|then| Checks::read(then, answers, reading));
        if actions.len() > 1 {
            let names: Vec<_> = actions
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let message = format!(
                "a step does one thing, this one {}: write more steps",
                names.join(" and ")
            );
            reading.error(place, message);
        }
        let Some((_, action)) = actions.pop() else {
            // What was meant may stand there misspelt.
            if !unknown && reading.findings.len() == before {
                let names: Vec<_> = ACTIONS.map(|(name, _)| format!("`{name}`")).to_vec();
                let hint = format!("a step has one of {}", names.join(", "));
                reading.error_with_hint(place, "this step does nothing", hint);
            }
            return None;
        };
        Some(Self {
            action: action?,
            then: then.unwrap_or_default(),
            origin,
        })
    }
}

fn has_answer(action: &str) -> bool {
    matches!(action, "request" | "invoke")
}

type Read = fn(Field<'_>, &mut Reading<'_>) -> Option<Action>;

/// The steps by name.
const ACTIONS: [(&str, Read); 14] = [
    ("request", |field, reading| {
        RequestSpec::read(field, HTTP, reading).map(Action::Request)
    }),
    ("invoke", |field, reading| {
        RequestSpec::read(field, INVOCATION, reading).map(Action::Invoke)
    }),
    ("publish", |field, reading| {
        publish(field, reading).map(Action::Publish)
    }),
    ("start", |field, reading| {
        start(field, reading).map(Action::Start)
    }),
    ("raise", raise),
    ("cancel", |field, reading| {
        whom(&field, reading).map(Action::Cancel)
    }),
    ("suspend", |field, reading| {
        whom(&field, reading).map(Action::Suspend)
    }),
    ("resume", |field, reading| {
        whom(&field, reading).map(Action::Resume)
    }),
    ("terminate", |field, reading| {
        whom(&field, reading).map(Action::Terminate)
    }),
    ("pass", |field, reading| {
        days_or_duration(&field, reading).map(Action::Pass)
    }),
    ("fault", |field, reading| {
        Some(Action::Fault(Fault::read_all(&field, reading)))
    }),
    ("mend", |field, reading| {
        field.choice(&[("all", ())], reading).map(|()| Action::Mend)
    }),
    ("crash", |field, reading| {
        field
            .choice(&[("host", ())], reading)
            .map(|()| Action::Crash)
    }),
    ("together", |field, reading| {
        Some(Action::Together(Step::read_all(&field, reading)))
    }),
];

/// `30d`, or Go's form.
fn days_or_duration(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Duration> {
    let text = field.node.scalar().map(|scalar| scalar.text.as_str());
    let days = text.and_then(|text| text.strip_suffix('d')?.parse::<u32>().ok());
    match days {
        Some(days) => Some(Duration::from_secs(u64::from(days) * 24 * 3600)),
        None => field.duration(Duration::ZERO..=LONGEST, reading),
    }
}

fn publish(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Publish> {
    let mut fields = field.fields(reading)?;
    let topic = fields.required("topic", "the name of a topic", reading);
    let topic = topic.and_then(|field| field.text(reading));
    let pubsub = text(&mut fields, "pubsub", reading);
    let data = Payload::read(&mut fields, "data", reading);
    let id = text(&mut fields, "id", reading);
    let kind = text(&mut fields, "type", reading);
    let mut metadata = texts(&mut fields, "metadata", reading);
    let raw = fields.optional("raw", reading);
    let raw = raw.map(|field| field.boolean(reading));
    let caller = fields.optional("as", reading);
    let caller = caller.and_then(|field| field.app_id(reading));
    let times = fields.optional("times", reading);
    let times = times.map(|field| field.count(TIMES, reading));
    fields.finish(reading);
    let named = [("cloudevent.id", &id), ("cloudevent.type", &kind)];
    for (name, value) in named {
        metadata.extend(value.clone().map(|value| (name.to_owned(), value)));
    }
    Some(Publish {
        pubsub,
        topic: topic?.to_owned(),
        data: data.unwrap_or(Payload::Text(String::new())),
        id,
        metadata,
        raw: raw.unwrap_or(Some(false))?,
        caller,
        times: times.unwrap_or(Some(1))?,
    })
}

fn text(fields: &mut Fields<'_>, name: &'static str, reading: &mut Reading<'_>) -> Option<String> {
    let field = fields.optional(name, reading)?;
    field.any_text(reading).map(str::to_owned)
}

fn start(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Start> {
    let mut fields = field.fields(reading)?;
    let workflow = fields.required("workflow", "the name of a workflow", reading);
    let workflow = workflow.and_then(|field| field.text(reading));
    let id = fields.required("id", "the ID of the instance", reading);
    let id = id.and_then(|field| field.any_text(reading));
    let app = fields.optional("app", reading);
    let app = app.and_then(|field| field.app_id(reading));
    let input = fields.nullable("input");
    let input = input.map(|field| Payload::Json(value(field.node)));
    fields.finish(reading);
    Some(Start {
        workflow: workflow?.to_owned(),
        instance: Instance {
            app,
            id: id?.to_owned(),
        },
        input: input.unwrap_or(Payload::Json(serde_json::Value::Null)),
    })
}

fn raise(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Action> {
    let mut fields = field.fields(reading)?;
    let to = fields.required("instance", "the ID of an instance", reading);
    let to = to.and_then(|field| whom(&field, reading));
    let event = fields.required("event", "the name of an event", reading);
    let event = event.and_then(|field| field.text(reading));
    let data = fields.nullable("data");
    let data = data.map(|field| Payload::Json(value(field.node)));
    fields.finish(reading);
    Some(Action::Raise {
        instance: to?,
        event: event?.to_owned(),
        data: data.unwrap_or(Payload::Json(serde_json::Value::Null)),
    })
}

/// `order-1`, or `order-saga/order-1`.
fn whom(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Instance> {
    let text = field.any_text(reading)?;
    if text.is_empty() {
        field.refuse(
            reading,
            format!("expected the ID of an instance, found {}", quote(text)),
        );
        return None;
    }
    let (app, id) = instance(text, field.place(), reading)?;
    Some(Instance { app, id })
}
