//! JSON from outside, checked field by field.

use crate::Failure;
use serde_json::Value;
use std::ops::RangeInclusive;

/// Longest identifier and shortest limit of every store that the shop may run on.
const ID_LENGTH_MAX: usize = 128;

/// A value that knows where it stands, so that a refusal can name it: `items[0].qty`.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    path: String,
    /// `None` if the field is absent or null.
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    /// The outermost value. It has no name; a refusal calls it `body`.
    pub fn body(value: &'a Value) -> Self {
        Self {
            path: String::new(),
            value: Some(value),
        }
    }

    /// A field of an object. Whether it must be there is decided by what it is read as.
    pub fn get(&self, name: &str) -> Self {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        let value = self
            .value
            .and_then(|value| value.get(name))
            .filter(|value| !value.is_null());
        Self { path, value }
    }

    /// The field itself if it is there.
    pub fn optional(self) -> Option<Self> {
        self.value.is_some().then_some(self)
    }

    /// An identifier that is safe in a path and in a key.
    pub fn id(&self) -> Result<String, Failure> {
        let id = self.value.and_then(Value::as_str);
        id.filter(|id| is_id(id)).map(str::to_owned).ok_or_else(|| {
            self.refused(format!(
                "must be a text of 1 to {ID_LENGTH_MAX} letters, digits and `.`, `_`, `-`, `:`, `@`"
            ))
        })
    }

    /// A text that is not blank.
    pub fn text(&self, length_max: usize) -> Result<String, Failure> {
        let text = self.value.and_then(Value::as_str);
        text.filter(|text| !text.trim().is_empty() && text.chars().count() <= length_max)
            .map(str::to_owned)
            .ok_or_else(|| self.refused(format!("must be a text of 1 to {length_max} characters")))
    }

    /// A whole number.
    pub fn whole(&self, range: RangeInclusive<u64>) -> Result<u64, Failure> {
        self.value
            .and_then(Value::as_u64)
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                self.refused(format!(
                    "must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                ))
            })
    }

    /// The elements of a list, read one by one.
    pub fn list<T>(
        &self,
        length: RangeInclusive<usize>,
        read: impl Fn(Field<'a>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let list = self
            .value
            .and_then(Value::as_array)
            .filter(|list| length.contains(&list.len()));
        let list = list.ok_or_else(|| {
            self.refused(format!(
                "must be a list of {} to {} elements",
                length.start(),
                length.end()
            ))
        })?;
        let element = |(index, value)| {
            read(Field {
                path: format!("{}[{index}]", self.path),
                value: Some(value),
            })
        };
        list.iter().enumerate().map(element).collect()
    }

    /// An object, as it is.
    pub fn object(&self) -> Result<&'a Value, Failure> {
        self.value
            .filter(|value| value.is_object())
            .ok_or_else(|| self.refused("must be a JSON object"))
    }

    fn refused(&self, message: impl Into<String>) -> Failure {
        Failure::invalid(
            if self.path.is_empty() {
                "body"
            } else {
                &self.path
            },
            message,
        )
    }
}

fn is_id(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:@".contains(&byte);
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field_of(failure: Failure) -> Value {
        failure.body["field"].clone()
    }

    #[test]
    fn a_refusal_names_the_place() {
        let body = json!({ "items": [{ "qty": 1 }, { "qty": -1 }] });
        let quantities = Field::body(&body)
            .get("items")
            .list(1..=9, |item| item.get("qty").whole(1..=9));
        assert_eq!(
            field_of(quantities.expect_err("-1 is not from 1 to 9")),
            "items[1].qty"
        );
    }

    #[test]
    fn the_body_itself_can_be_wrong() {
        let body = json!([1, 2]);
        assert_eq!(
            field_of(Field::body(&body).object().expect_err("a list")),
            "body"
        );
        assert_eq!(
            field_of(
                Field::body(&body)
                    .get("qty")
                    .whole(0..=9)
                    .expect_err("a list")
            ),
            "qty"
        );
    }

    #[test]
    fn null_is_absent() {
        let body = json!({ "orderId": null });
        assert!(Field::body(&body).get("orderId").optional().is_none());
    }

    #[test]
    fn fractions_and_texts_are_no_whole_numbers() {
        for wrong in [json!(1.5), json!("1"), json!(-1), json!(true), json!(10)] {
            assert!(Field::body(&wrong).whole(0..=9).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_id_never_holds_what_separates_keys_or_paths() {
        for wrong in ["", "a||b", "a/b", "a b", "ä", &"x".repeat(129)] {
            assert!(!is_id(wrong), "{wrong}");
        }
        assert!(is_id("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
        assert!(is_id("ada@example.com"));
    }
}
