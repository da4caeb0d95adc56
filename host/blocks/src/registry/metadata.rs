//! Component metadata as drivers read it: every value may come as text, as in Dapr's documents.
//!
//! A driver describes its metadata as one struct with serde and schemars; fields use the types of Rust and those
//! below. `#[serde(flatten)]` does not work here: it hides the type that a field wants.

use super::{Metadata, OpenError};
use berth_resources::Secret;
use schemars::JsonSchema;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;
use std::{fmt, time::Duration};

/// Reads a metadata struct; the error names the entry.
///
/// # Errors
/// [`OpenError::Metadata`] for a missing, unknown or wrong entry.
pub fn parse<T: DeserializeOwned>(metadata: &Metadata) -> Result<T, OpenError> {
    T::deserialize(Entries(metadata)).map_err(|error| OpenError::Metadata {
        field: error.field.unwrap_or_default(),
        message: error.message,
    })
}

/// What Dapr takes for true; everything else that is a boolean is false.
#[must_use]
pub fn truthy(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "t" | "on" | "1" => Some(true),
        "n" | "no" | "false" | "f" | "off" | "0" | "" => Some(false),
        _ => None,
    }
}

/// A duration such as `500ms`, `1m30s`, `2h`. A bare number counts units of `bare`.
///
/// # Errors
/// What was expected, if the text is no duration.
pub fn duration(text: &str, bare: Duration) -> Result<Duration, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is not a duration: expected a form such as `30s` or `1m30s`");
    if let Ok(count) = text.parse::<u32>() {
        return bare.checked_mul(count).ok_or_else(wrong);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, tail) = rest.split_at(digits.ok_or_else(wrong)?);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, tail) = tail.split_at(unit_end.unwrap_or(tail.len()));
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let seconds = number * unit_seconds(unit).ok_or_else(wrong)?;
        let part = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total).ok_or_else(wrong)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// A number of bytes: `1048576`, `64Mi`, `500k`.
///
/// # Errors
/// What was expected, if the text is no size.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("K", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("", 1),
    ];
    let text = text.trim();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    unit.and_then(|(unit, factor)| {
        let number = text.strip_suffix(unit)?.trim_end();
        number.parse::<u64>().ok()?.checked_mul(*factor)
    })
    .ok_or_else(|| format!("`{text}` is not a size: expected a form such as `64Mi` or `1048576`"))
}

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal, $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let read: fn(String) -> Result<$inner, String> = $read;
                read(text).map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $what })
            }
        }
    };
}

text_value!(
    /// A duration; a bare number counts seconds.
    DurationOrSeconds(Duration),
    "duration",
    |text| duration(&text, Duration::from_secs(1))
);
text_value!(
    /// A duration; a bare number counts milliseconds.
    DurationOrMillis(Duration),
    "duration",
    |text| duration(&text, Duration::from_millis(1))
);
text_value!(
    /// A number of bytes.
    Size(u64),
    "size",
    |text| size(&text)
);
text_value!(
    /// A value that is never shown.
    Confidential(Secret),
    "secret",
    |text| Ok(Secret::new(text))
);

/// What went wrong, at which entry.
#[derive(Debug)]
struct EntryError {
    field: Option<String>,
    message: String,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EntryError {}

impl serde::de::Error for EntryError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            field: None,
            message: message.to_string(),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: "missing, but required".to_owned(),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: format!("unknown, expected one of: {}", expected.join(", ")),
        }
    }
}

/// The whole metadata, read as a struct.
struct Entries<'a>(&'a Metadata);

impl<'de> Deserializer<'de> for Entries<'_> {
    type Error = EntryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
        visitor.visit_map(EntryAccess {
            entries: self.0.iter(),
            current: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct EntryAccess<'a> {
    entries: serde_json::map::Iter<'a>,
    current: Option<(&'a String, &'a Value)>,
}

impl<'de> MapAccess<'de> for EntryAccess<'_> {
    type Error = EntryError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, EntryError> {
        self.current = self.entries.next();
        self.current
            .map(|(name, _)| seed.deserialize(name.as_str().into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, EntryError> {
        let (name, value) = self.current.take().ok_or_else(|| EntryError {
            field: None,
            message: "a value without a name".to_owned(),
        })?;
        seed.deserialize(EntryValue(value))
            .map_err(|error| EntryError {
                field: Some(name.clone()),
                message: error.message,
            })
    }
}

/// One value: text where the struct wants a number or a boolean is read as that.
struct EntryValue<'a>(&'a Value);

impl EntryValue<'_> {
    fn text(&self) -> String {
        match self.0 {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn number<N: std::str::FromStr>(&self, expected: &str) -> Result<N, EntryError> {
        let text = self.text();
        text.trim()
            .parse()
            .map_err(|_| serde::de::Error::custom(format_args!("`{text}` is not {expected}")))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $expected:literal),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
            visitor.$visit(self.number($expected)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for EntryValue<'_> {
    type Error = EntryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
        visitor.visit_string(self.text())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
        let text = self.text();
        match truthy(&text) {
            Some(value) => visitor.visit_bool(value),
            None => Err(serde::de::Error::custom(format_args!(
                "`{text}` is not a boolean: expected `true` or `false`"
            ))),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 "a whole number from -128 to 127",
        deserialize_i16 visit_i16 "a whole number from -32768 to 32767",
        deserialize_i32 visit_i32 "a whole number of at most 32 bits",
        deserialize_i64 visit_i64 "a whole number of at most 64 bits",
        deserialize_u8 visit_u8 "a whole number from 0 to 255",
        deserialize_u16 visit_u16 "a whole number from 0 to 65535",
        deserialize_u32 visit_u32 "a whole number from 0 to 4294967295",
        deserialize_u64 visit_u64 "a whole number, not negative",
        deserialize_f32 visit_f32 "a number",
        deserialize_f64 visit_f64 "a number",
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, EntryError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, EntryError> {
        let text = self.text();
        let known = variants
            .iter()
            .find(|known| known.eq_ignore_ascii_case(&text));
        let variant = known.ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "`{text}` is not one of: {}",
                variants.join(", ")
            ))
        })?;
        visitor.visit_enum(UnitVariant(variant))
    }

    /// A list is text with commas; empty text is the empty list.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
        let text = self.text();
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let items: Vec<Value> = items.map(Value::from).collect();
        visitor.visit_seq(Items(items.into_iter()))
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
        ignored_any
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = EntryError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, EntryError> {
        let next = self.0.next();
        next.map(|value| seed.deserialize(EntryValue(&value)))
            .transpose()
    }
}

struct UnitVariant(&'static str);

impl<'de> EnumAccess<'de> for UnitVariant {
    type Error = EntryError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), EntryError> {
        let name: serde::de::value::StrDeserializer<'_, EntryError> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for UnitVariant {
    type Error = EntryError;

    fn unit_variant(self) -> Result<(), EntryError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, EntryError> {
        Err(unit_only())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, EntryError> {
        Err(unit_only())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, EntryError> {
        Err(unit_only())
    }
}

fn unit_only() -> EntryError {
    serde::de::Error::custom("this metadata field can hold names only")
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
