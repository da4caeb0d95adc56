//! The names that a metadata struct takes. Serde knows them all; a JSON Schema does not tell aliases.

use super::entries::{EntryError, EntryValue, TWICE};
use serde::{
    de::{DeserializeOwned, Deserializer, Error, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// One metadata entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryName {
    /// As the reference page calls it.
    pub name: String,
    /// Other names that mean the same.
    pub aliases: Vec<String>,
}

/// Every entry of a metadata struct, by name.
#[must_use]
pub fn names<T: DeserializeOwned>() -> Vec<EntryName> {
    let mut asked: &'static [&'static str] = &[];
    // The answer is in `asked`: a struct names its fields before it reads any.
    let _ = T::deserialize(Asked(&mut asked));
    let mut entries: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for known in asked {
        let entry = main_name::<T>(known);
        let aliases = entries.entry(entry.unwrap_or(known)).or_default();
        if entry.is_some_and(|entry| entry != *known) {
            aliases.push((*known).to_owned());
        }
    }
    let entries = entries.into_iter();
    entries
        .map(|(name, aliases)| EntryName {
            name: name.to_owned(),
            aliases,
        })
        .collect()
}

/// What serde calls the field when it is given twice under this name. The value must fit the field's type.
fn main_name<T: DeserializeOwned>(name: &'static str) -> Option<&'static str> {
    let probes = [Value::Null, Value::from("1")];
    probes.iter().find_map(|probe| {
        let entries = [(name, EntryValue(probe)), (name, EntryValue(probe))];
        let read = T::deserialize(MapDeserializer::<_, EntryError>::new(entries.into_iter()));
        let error = read.err().filter(|error| error.message == TWICE)?;
        error.known_field
    })
}

/// Hears which fields a struct wants, and reads nothing.
struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = EntryError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, EntryError> {
        *self.0 = fields;
        Err(Error::custom("only asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, EntryError> {
        Err(Error::custom("metadata is a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
