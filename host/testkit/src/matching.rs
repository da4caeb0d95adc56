//! Whether a value looks as it has to, and where it does not.

use berth_resources::scenario::{Pattern, PatternKind};
use serde_json::Value;

/// Where a value differs: a path, what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Such as `$.items[0].qty`; `$` is the value itself.
    pub path: String,
    /// In words or as JSON.
    pub expected: String,
    /// As JSON, or `nothing`.
    pub found: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            path,
            expected,
            found,
        } = self;
        write!(f, "{path}\n  expected {expected}\n  found    {found}")
    }
}

/// Every difference; none: the value is as it has to be.
pub(crate) fn differences(pattern: &Pattern, found: Option<&Value>) -> Vec<Difference> {
    let mut differences = Vec::new();
    compare("$", pattern, found, &mut differences);
    differences
}

/// Whether a value is as it has to be.
pub(crate) fn matches(pattern: &Pattern, found: Option<&Value>) -> bool {
    differences(pattern, found).is_empty()
}

fn compare(path: &str, pattern: &Pattern, found: Option<&Value>, out: &mut Vec<Difference>) {
    let mut differ = |expected: String| {
        out.push(Difference {
            path: path.to_owned(),
            expected,
            found: found.map_or_else(|| "nothing".to_owned(), short),
        });
    };
    let Some(value) = found else {
        if !matches!(pattern.kind, PatternKind::Absent) {
            differ(describe(pattern));
        }
        return;
    };
    match &pattern.kind {
        PatternKind::Any => {}
        PatternKind::Absent => differ("nothing".to_owned()),
        PatternKind::Exact(expected) => exact(path, expected, value, out),
        PatternKind::Regex(regex) => match text(value) {
            Some(text) if regex.is_match(&text) => {}
            _ => differ(describe(pattern)),
        },
        PatternKind::Contains(parts) => {
            let lacks = parts.iter().filter(|part| !contains(value, part));
            let lacks: Vec<_> = lacks.map(describe).collect();
            if !lacks.is_empty() {
                differ(format!("something that contains {}", lacks.join(" and ")));
            }
        }
        PatternKind::Map(fields) => match value.as_object() {
            None => differ(describe(pattern)),
            Some(object) => {
                for (name, pattern) in fields {
                    let path = format!("{path}.{name}");
                    compare(&path, pattern, object.get(name), out);
                }
            }
        },
        PatternKind::List(items) => match value.as_array() {
            None => differ(describe(pattern)),
            Some(found) if found.len() != items.len() => {
                differ(format!("{}: {}", count(items.len()), describe(pattern)));
            }
            Some(found) => {
                for (place, (pattern, found)) in items.iter().zip(found).enumerate() {
                    compare(&format!("{path}[{place}]"), pattern, Some(found), out);
                }
            }
        },
    }
}

/// Differences of two values, field by field.
pub(crate) fn exact(path: &str, expected: &Value, found: &Value, out: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let more = found.keys().filter(|name| !expected.contains_key(*name));
            for name in expected.keys().chain(more) {
                let path = format!("{path}.{name}");
                match (expected.get(name), found.get(name)) {
                    (Some(expected), Some(found)) => exact(&path, expected, found, out),
                    (expected, found) => out.push(Difference {
                        path,
                        expected: expected.map_or_else(|| "nothing".to_owned(), short),
                        found: found.map_or_else(|| "nothing".to_owned(), short),
                    }),
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (place, (expected, found)) in one.iter().zip(other).enumerate() {
                exact(&format!("{path}[{place}]"), expected, found, out);
            }
        }
        _ if is_same(expected, found) => {}
        _ => out.push(Difference {
            path: path.to_owned(),
            expected: short(expected),
            found: short(found),
        }),
    }
}

/// `1` and `1.0` are one number.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn contains(value: &Value, part: &Pattern) -> bool {
    if let Some(items) = value.as_array() {
        return items.iter().any(|item| matches(part, Some(item)));
    }
    match (&part.kind, text(value)) {
        (PatternKind::Exact(wanted), Some(found)) => {
            text(wanted).is_some_and(|wanted| found.contains(&wanted))
        }
        (_, Some(_)) => matches(part, Some(value)),
        _ => false,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// What a pattern expects, in words.
pub(crate) fn describe(pattern: &Pattern) -> String {
    match &pattern.kind {
        PatternKind::Any => "anything".to_owned(),
        PatternKind::Absent => "nothing".to_owned(),
        PatternKind::Exact(value) => short(value),
        PatternKind::Regex(regex) => format!("a text like /{}/", regex.as_str()),
        PatternKind::Contains(parts) => {
            let parts: Vec<_> = parts.iter().map(describe).collect();
            format!("something that contains {}", parts.join(" and "))
        }
        PatternKind::Map(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, pattern)| format!("{name}: {}", describe(pattern)))
                .collect();
            format!("{{ {}, ... }}", fields.join(", "))
        }
        PatternKind::List(items) => {
            let items: Vec<_> = items.iter().map(describe).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

fn count(count: usize) -> String {
    match count {
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    }
}

/// A value as JSON, cut to a readable length.
pub(crate) fn short(value: &Value) -> String {
    const LONGEST: usize = 300;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn like(expected: Value, found: Value) -> Vec<String> {
        let found = differences(&Pattern::like(expected), Some(&found));
        found.iter().map(|found| found.path.clone()).collect()
    }

    #[test]
    fn a_map_may_have_more_fields_and_a_list_not_more_items() {
        assert!(like(json!({ "a": 1 }), json!({ "a": 1.0, "b": 2 })).is_empty());
        assert_eq!(
            like(json!({ "a": { "b": 1 } }), json!({ "a": { "b": 2 } })),
            ["$.a.b"]
        );
        assert_eq!(like(json!([1]), json!([1, 2])), ["$"]);
        assert_eq!(like(json!([1, 2]), json!([1, 3])), ["$[1]"]);
    }

    #[test]
    fn an_exact_value_has_nothing_more() {
        let pattern = Pattern::exact(json!({ "a": 1 }));
        let found = json!({ "a": 1, "b": 2 });
        let differences = differences(&pattern, Some(&found));
        insta::assert_snapshot!(differences[0], @r"
        $.b
          expected nothing
          found    2
        ");
    }
}
