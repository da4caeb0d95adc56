//! Other apps, and services outside: real guests, or canned answers.

use super::message::{Payload, texts};
use crate::{app::guest_path, fields::Fields, node::quote, reader::Reading, value::Field};
use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

/// Who stands in for another app.
#[derive(Debug, Clone, PartialEq)]
pub enum OtherApp {
    /// A guest, in the same world.
    Guest(PathBuf),
    /// Canned answers.
    Canned(CannedApp),
}

/// An app, or a service outside, that answers as it is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CannedApp {
    /// The first that fits answers.
    pub routes: Vec<Route>,
}

/// Requests and what is answered to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The method; absent: any.
    pub method: Option<String>,
    /// The path; `*` stands for anything.
    pub path: String,
    /// One after the other; the last one stays.
    pub answers: Vec<CannedAnswer>,
    /// The header whose value tells repeated requests: they get the first one's answer, and have no effect.
    pub idempotency: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct CannedAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Option<Payload>,
    /// How long it takes.
    pub after: Duration,
}

impl Default for CannedAnswer {
    fn default() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: None,
            after: Duration::ZERO,
        }
    }
}

const STATUS: RangeInclusive<u32> = 100..=599;
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl OtherApp {
    pub(super) fn read(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        if field.node.map().is_none() {
            return CannedApp::read(field, reading).map(Self::Canned);
        }
        let mut fields = field.clone().fields(reading)?;
        let guest = fields.required("guest", "the path of a `.wasm` file", reading);
        let guest = guest.and_then(|field| guest_path(&field, reading));
        fields.finish(reading);
        guest.map(Self::Guest)
    }
}

impl CannedApp {
    pub(super) fn read(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        if field.node.map().is_some() || field.node.scalar().is_some() {
            let expected = "a list of answers, each with `on` and `answer`";
            field.expected(reading, expected);
            return None;
        }
        let items = field.items(reading);
        let routes: Vec<_> = items
            .into_iter()
            .map(|item| Route::read(item, reading))
            .collect();
        let routes = routes.into_iter().collect::<Option<_>>()?;
        Some(Self { routes })
    }
}

impl Route {
    fn read(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let mut fields = field.fields(reading)?;
        let on = fields.required("on", "a method and a path such as `POST /charge`", reading);
        let on = on.and_then(|field| route(&field, reading));
        let answers = answers(&mut fields, reading);
        let idempotency = fields.optional("idempotency", reading);
        let idempotency = idempotency.and_then(|field| field.text(reading));
        fields.finish(reading);
        let (method, path) = on?;
        Some(Self {
            method,
            path,
            answers: answers?,
            idempotency: idempotency.map(str::to_owned),
        })
    }
}

/// `POST /charge`, `* /orders/*`.
fn route(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<(Option<String>, String)> {
    let text = field.text(reading)?;
    if let Some(path) = text.strip_prefix("* /") {
        return Some((None, format!("/{path}")));
    }
    let (method, path) = super::message::line(field, reading)?;
    Some((Some(method), path))
}

fn answers(fields: &mut Fields<'_>, reading: &mut Reading<'_>) -> Option<Vec<CannedAnswer>> {
    let one = fields.optional("answer", reading);
    let many = fields.optional("answers", reading);
    match (one, many) {
        (Some(one), None) => Some(vec![CannedAnswer::read(one, reading)?]),
        (None, Some(many)) => {
            let items = many.items(reading);
            if items.is_empty() {
                many.refuse(reading, "expected at least one answer");
                return None;
            }
            let answers: Vec<_> = items
                .into_iter()
                .map(|item| CannedAnswer::read(item, reading))
                .collect();
            answers.into_iter().collect()
        }
        (Some(_), Some(many)) => {
            many.refuse(reading, "give `answer` or `answers`, not both");
            None
        }
        (None, None) => Some(vec![CannedAnswer::default()]),
    }
}

impl CannedAnswer {
    fn read(field: Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        if field.node.scalar().is_some() {
            let status = status(&field, reading)?;
            return Some(Self {
                status,
                ..Self::default()
            });
        }
        let mut fields = field.fields(reading)?;
        let status = match fields.optional("status", reading) {
            Some(field) => status(&field, reading),
            None => Some(200),
        };
        let headers = texts(&mut fields, "headers", reading);
        let body = Payload::read(&mut fields, "body", reading);
        let after = fields.optional("after", reading);
        let after = after.map(|field| field.duration(Duration::ZERO..=LONGEST, reading));
        fields.finish(reading);
        Some(Self {
            status: status?,
            headers,
            body,
            after: after.unwrap_or(Some(Duration::ZERO))?,
        })
    }
}

pub(super) fn status(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<u16> {
    let status = field.count(STATUS, reading)?;
    u16::try_from(status).ok()
}

/// `https://api.example.com`: scheme and host, nothing behind.
pub(super) fn outside_origin(
    name: &str,
    field: &Field<'_>,
    reading: &mut Reading<'_>,
) -> Option<String> {
    let rest = name
        .strip_prefix("https://")
        .or_else(|| name.strip_prefix("http://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ', '?', '#']) => {
            Some(name.to_ascii_lowercase())
        }
        _ => {
            let message = format!(
                "{}: expected a scheme and a host such as `https://api.example.com`, found {}",
                quote(&field.path),
                quote(name)
            );
            reading.error(field.key.unwrap_or(field.place()), message);
            None
        }
    }
}
