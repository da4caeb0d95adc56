//! What goes wrong: some calls fail, take long, lose their answer, or are the last thing that their guest or host does.

use super::operation::OperationPattern;
use crate::{AppId, Origin, node::quote, reader::Reading, value::Field};
use std::{ops::RangeInclusive, time::Duration};

/// Which calls, and what happens to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Which operations.
    pub call: OperationPattern,
    /// Of this backend or app only.
    pub backend: Option<String>,
    /// Of keys, topics, paths or instances that fit; `*` stands for anything.
    pub key: Option<String>,
    /// Made by this app only.
    pub app: Option<AppId>,
    /// The first of these calls that is meant, from 1.
    pub nth: u32,
    /// How many of them; absent: all.
    pub times: Option<u32>,
    /// What happens.
    pub effect: Effect,
    /// Where it stands.
    pub origin: Origin,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// It does nothing and says why.
    Fail(Failing),
    /// It takes longer.
    Slow(Duration),
    /// It does what it should, and whoever asked is told that it took too long.
    LoseAnswer,
    /// It is the last thing that somebody does.
    Kill(Kill, Moment),
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// Another attempt may cure it.
    Unavailable,
    /// No answer in time, and nothing happened.
    Timeout,
    /// Stale etag, or a first-write on an existing key.
    Conflict,
    /// Forbidden.
    Denied,
    /// There is none.
    NotFound,
    /// Over a limit.
    TooLarge,
}

/// Who ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// The instance that called.
    Guest,
    /// The host, which is started anew.
    Host,
}

/// When somebody ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the call has its effect.
    Before,
    /// After it had its effect, before the answer is seen.
    After,
}

const FAILINGS: [(&str, Failing); 6] = [
    ("unavailable", Failing::Unavailable),
    ("timeout", Failing::Timeout),
    ("conflict", Failing::Conflict),
    ("denied", Failing::Denied),
    ("not-found", Failing::NotFound),
    ("too-large", Failing::TooLarge),
];
const COUNTS: RangeInclusive<u32> = 1..=1_000_000;
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Fault {
    pub(super) fn read_all(field: &Field<'_>, reading: &mut Reading<'_>) -> Vec<Self> {
        let items = match field.node.map() {
            Some(_) => vec![field.clone()],
            None => field.items(reading),
        };
        let faults = items
            .into_iter()
            .filter_map(|item| Self::read(item, reading));
        faults.collect()
    }

    fn read(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let origin = reading.origin(field.place());
        let mut fields = field.fields(reading)?;
        let call = fields.required("call", "a block call such as `state.set`", reading);
        let call = call.and_then(|field| OperationPattern::read(&field, reading));
        let backend = fields.optional("backend", reading);
        let backend = backend.and_then(|field| field.text(reading));
        let key = fields.optional("key", reading);
        let key = key.and_then(|field| field.any_text(reading));
        let app = fields.optional("app", reading);
        let app = app.and_then(|field| field.app_id(reading));
        let nth = fields.optional("nth", reading);
        let nth = nth.map(|field| field.count(COUNTS, reading));
        let times = fields.optional("times", reading);
        let times = times.map(|field| field.count(COUNTS, reading));
        let fail = fields.optional("fail", reading);
        let slow = fields.optional("slow", reading);
        let lose = fields.optional("lose", reading);
        let kill = fields.optional("kill", reading);
        let at = fields.optional("at", reading);
        let place = fields.place();
        fields.finish(reading);
        let call = call?;
        let given = [&fail, &slow, &lose, &kill];
        match given.iter().filter(|field| field.is_some()).count() {
            1 => {}
            0 => {
                let message = "a fault needs one of `fail`, `slow`, `lose` and `kill`";
                reading.error(place, message);
                return None;
            }
            _ => {
                let message =
                    "a fault has one of `fail`, `slow`, `lose` and `kill`: write two faults";
                reading.error(place, message);
                return None;
            }
        }
        if let (Some(at), None) = (&at, &kill) {
            at.refuse(reading, "only a `kill` has a moment");
        }
        let effect = match (fail, slow, lose, kill) {
            (Some(field), ..) => Effect::Fail(failing(&field, &call, reading)?),
            (_, Some(field), ..) => {
                Effect::Slow(field.duration(Duration::from_millis(1)..=LONGEST, reading)?)
            }
            (_, _, Some(field), _) => {
                field.choice(&[("answer", ())], reading)?;
                Effect::LoseAnswer
            }
            (_, _, _, kill) => {
                let who = [("guest", Kill::Guest), ("host", Kill::Host)];
                let when = [("before", Moment::Before), ("after", Moment::After)];
                let moment = match at {
                    Some(at) => at.choice(&when, reading)?,
                    None => Moment::After,
                };
                Effect::Kill(kill?.choice(&who, reading)?, moment)
            }
        };
        let is_kill = matches!(effect, Effect::Kill(..));
        Some(Self {
            call,
            backend: backend.map(str::to_owned),
            key: key.map(str::to_owned),
            app,
            nth: nth.unwrap_or(Some(1))?,
            times: match times {
                Some(times) => Some(times?),
                // Whoever is killed by each of its calls never gets anywhere.
                None => is_kill.then_some(1),
            },
            effect,
            origin,
        })
    }
}

/// How a call fails, if it can fail like that.
fn failing(
    field: &Field<'_>,
    call: &OperationPattern,
    reading: &mut Reading<'_>,
) -> Option<Failing> {
    let failing = field.choice(&FAILINGS, reading)?;
    if call.meant().any(|operation| can_fail(operation, failing)) {
        return Some(failing);
    }
    let first = call.meant().next()?;
    let words: Vec<_> = FAILINGS
        .iter()
        .filter(|(_, failing)| can_fail(first, *failing))
        .map(|(word, _)| format!("`{word}`"))
        .collect();
    let text = field.node.scalar().map(|scalar| scalar.text.as_str());
    field.refuse(
        reading,
        format!(
            "`{}` never fails with {}, but with {}",
            call.as_str(),
            quote(text.unwrap_or_default()),
            crate::value::list(&words)
        ),
    );
    None
}

fn can_fail(operation: &str, failing: Failing) -> bool {
    let block = operation.split('.').next().unwrap_or_default();
    match failing {
        Failing::Unavailable | Failing::Timeout => true,
        Failing::Conflict => matches!(
            operation,
            "state.set"
                | "state.delete"
                | "state.bulk_set"
                | "state.bulk_delete"
                | "state.transact"
                | "workflow.start"
        ),
        Failing::Denied => true,
        Failing::NotFound => matches!(block, "secrets" | "invocation" | "workflow"),
        Failing::TooLarge => block != "secrets",
    }
}
