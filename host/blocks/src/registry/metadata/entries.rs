//! The deserializer behind [`parse`](super::parse): it knows at which entry it is, and reads text as whatever the
//! struct asks for.

use super::{Metadata, truthy};
use serde::{
    de::{
        DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
        VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};
use serde_json::Value;
use std::fmt;

/// What is wrong with an entry that comes under two of its names.
pub(super) const TWICE: &str = "given twice, under two of its names";

/// What went wrong, at which entry.
#[derive(Debug)]
pub(super) struct EntryError {
    pub(super) field: Option<String>,
    pub(super) message: String,
    /// The field as the struct calls it, if serde said so.
    pub(super) known_field: Option<&'static str>,
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
            known_field: None,
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: "missing, but required".to_owned(),
            known_field: Some(field),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: format!("unknown, expected one of: {}", expected.join(", ")),
            known_field: None,
        }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: TWICE.to_owned(),
            known_field: Some(field),
        }
    }
}

/// The whole metadata, read as a struct.
pub(super) struct Entries<'a>(pub(super) &'a Metadata);

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
        let (name, value) = self
            .current
            .take()
            .ok_or_else(|| serde::de::Error::custom("a value without a name"))?;
        seed.deserialize(EntryValue(value))
            .map_err(|error: EntryError| EntryError {
                field: Some(name.clone()),
                ..error
            })
    }
}

/// One value: text where the struct wants a number or a boolean is read as that.
pub(super) struct EntryValue<'a>(pub(super) &'a Value);

impl<'de> IntoDeserializer<'de, EntryError> for EntryValue<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

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
