//! Requests, answers and payloads as scenarios write them.

use super::pattern::value;
use crate::{AppId, fields::Fields, node::quote, reader::Reading, value::Field};
use serde_json::Value;

/// Bytes that a scenario gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// `body`, `data`: a text as it is.
    Text(String),
    /// `json`: a value, sent as JSON.
    Json(Value),
}

impl Payload {
    /// As bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Json(value) => value.to_string().into_bytes(),
        }
    }

    /// The media type, if that is known.
    #[must_use]
    pub fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::Text(_) => None,
            Self::Json(_) => Some("application/json"),
        }
    }

    /// `json`, or a text under another name.
    pub(super) fn read(
        fields: &mut Fields<'_>,
        text: &'static str,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let plain = fields.nullable(text);
        let json = fields.nullable("json");
        match (plain, json) {
            (Some(_), Some(json)) => {
                json.refuse(reading, format!("give `{text}` or `json`, not both"));
                None
            }
            (Some(plain), None) => Some(Self::Text(plain.any_text(reading)?.to_owned())),
            (None, Some(json)) => Some(Self::Json(value(json.node))),
            (None, None) => None,
        }
    }
}

/// A request: `GET /orders/1`, or a map.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSpec {
    /// Whom it goes to; absent: whom the ingress finds.
    pub app: Option<AppId>,
    /// Who calls; absent: somebody outside.
    pub caller: Option<AppId>,
    /// Such as `GET`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// In their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Payload>,
}

impl RequestSpec {
    pub(super) fn read(
        field: Field<'_>,
        names: RequestNames,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        if field.node.scalar().is_some() {
            return Self::read_line(&field, reading);
        }
        let mut fields = field.fields(reading)?;
        let method = match fields.optional(names.verb, reading) {
            Some(field) => verb(&field, reading),
            None => Some(names.usual_verb.to_owned()),
        };
        let expected = "a path such as `/orders/1`";
        let path = fields.required(names.path, expected, reading);
        let path = path.and_then(|field| path_of(&field, names, reading));
        let app = fields.optional("app", reading);
        let app = app.and_then(|field| field.app_id(reading));
        let caller = fields.optional("as", reading);
        let caller = caller.and_then(|field| field.app_id(reading));
        let headers = texts(&mut fields, "headers", reading);
        let body = Payload::read(&mut fields, "body", reading);
        fields.finish(reading);
        Some(Self {
            app,
            caller,
            method: method?,
            path: path?,
            headers,
            body,
        })
    }

    fn read_line(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let (method, path) = line(field, reading)?;
        Some(Self {
            app: None,
            caller: None,
            method,
            path,
            headers: Vec::new(),
            body: None,
        })
    }
}

/// What the fields of a request are called: HTTP's words, or those of service invocation.
#[derive(Clone, Copy)]
pub(super) struct RequestNames {
    pub verb: &'static str,
    pub path: &'static str,
    pub usual_verb: &'static str,
}

/// `GET /orders/1`.
pub(super) fn line(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<(String, String)> {
    let text = field.text(reading)?;
    let expected = "expected a method and a path such as `GET /orders/1`";
    let Some((method, path)) = text.split_once(' ') else {
        field.refuse(reading, format!("{expected}, found {}", quote(text)));
        return None;
    };
    let (method, path) = (method.trim(), path.trim());
    if !is_verb(method) || !path.starts_with('/') {
        field.refuse(reading, format!("{expected}, found {}", quote(text)));
        return None;
    }
    Some((method.to_owned(), path.to_owned()))
}

fn is_verb(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn verb(field: &Field<'_>, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    if is_verb(text) {
        return Some(text.to_owned());
    }
    field.refuse(
        reading,
        format!(
            "expected a method such as `POST`, in capitals, found {}",
            quote(text)
        ),
    );
    None
}

fn path_of(field: &Field<'_>, names: RequestNames, reading: &mut Reading<'_>) -> Option<String> {
    let text = field.text(reading)?;
    if names.path == "method" {
        return Some(format!("/{}", text.trim_start_matches('/')));
    }
    if text.starts_with('/') && !text.contains(' ') {
        return Some(text.to_owned());
    }
    field.refuse(
        reading,
        format!(
            "expected a path that begins with `/`, without spaces, found {}",
            quote(text)
        ),
    );
    None
}

/// A map of texts, in its order.
pub(super) fn texts(
    fields: &mut Fields<'_>,
    name: &'static str,
    reading: &mut Reading<'_>,
) -> Vec<(String, String)> {
    let Some(field) = fields.optional(name, reading) else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    for (name, _, own) in field.entries(reading) {
        if let Some(text) = own.any_text(reading) {
            texts.push((name.to_owned(), text.to_owned()));
        }
    }
    texts
}
