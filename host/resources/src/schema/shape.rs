//! What a reader asks of a value.

use crate::node::Place;
use std::ops::RangeInclusive;

/// What a reader asks of a value. One that is read in several ways has several.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// A map of known fields.
    Map {
        known: Vec<&'static str>,
        /// Those that are there, and where their keys stand.
        places: Vec<(&'static str, Place)>,
        required: Vec<&'static str>,
        /// Accepted, and without effect.
        ignored: Vec<&'static str>,
    },
    /// A map whose keys are free.
    Entries,
    Items,
    Text,
    /// A text, a number or a boolean.
    Scalar,
    Boolean,
    Integer(RangeInclusive<i64>),
    /// With a unit.
    Duration,
    /// With a unit, or a number of milliseconds.
    Milliseconds,
    Size,
    /// One of several words, in any case.
    Choice(Vec<String>),
}
