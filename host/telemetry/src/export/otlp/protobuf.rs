//! Protobuf's wire format, as far as three messages need it: fields are written in any order that suits, and read one
//! after the other.
//!
//! Not `prost`: its derive macros would change features of crates below wasmtime, and so compile that again, for what
//! is a page here.

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'b> {
    /// Any integer, a boolean, an enum.
    Varint(u64),
    /// A text, bytes, a message.
    Bytes(&'b [u8]),
    /// Of a fixed size; nothing that is read here has one.
    Fixed,
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// An integer, a boolean or an enum; the default value is not written.
    pub(super) fn varint(&mut self, field: u8, value: u64) -> &mut Self {
        if value != 0 {
            self.tag(field, VARINT);
            self.raw_varint(value);
        }
        self
    }

    pub(super) fn fixed64(&mut self, field: u8, value: u64) -> &mut Self {
        self.tag(field, FIXED64);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn fixed32(&mut self, field: u8, value: u32) -> &mut Self {
        self.tag(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A text or bytes; an empty value is not written.
    pub(super) fn bytes(&mut self, field: u8, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        if value.is_empty() {
            return self;
        }
        self.member(field, value)
    }

    /// A message, even an empty one.
    pub(super) fn message(&mut self, field: u8, value: &Self) -> &mut Self {
        self.member(field, &value.0)
    }

    /// A member of a `oneof`: written even if it is the default value, since that it is there says which one it is.
    pub(super) fn member(&mut self, field: u8, value: &[u8]) -> &mut Self {
        self.tag(field, BYTES);
        self.raw_varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// As [`member`](Self::member), for integers and booleans.
    pub(super) fn varint_member(&mut self, field: u8, value: u64) -> &mut Self {
        self.tag(field, VARINT);
        self.raw_varint(value);
        self
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn tag(&mut self, field: u8, wire: u8) {
        self.raw_varint(u64::from(field) << 3 | u64::from(wire));
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            // The lowest seven bits, and that more follow.
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The first field with a number, if the message can be read up to it.
pub(super) fn find(message: &[u8], wanted: u64) -> Option<Field<'_>> {
    fields(message)
        .find(|(number, _)| *number == wanted)
        .map(|(_, field)| field)
}

/// The fields of a message, up to its end or to what cannot be read.
pub(super) fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let tag = take_varint(&mut rest)?;
        let field = match (tag & 7) as u8 {
            VARINT => Field::Varint(take_varint(&mut rest)?),
            BYTES => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                Field::Bytes(take(&mut rest, length)?)
            }
            FIXED64 => take(&mut rest, 8).map(|_| Field::Fixed)?,
            FIXED32 => take(&mut rest, 4).map(|_| Field::Fixed)?,
            _ => return None,
        };
        Some((tag >> 3, field))
    })
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_specification_are_written_as_there() {
        let mut message = Message::new();
        message.varint(1, 150);
        message.bytes(2, "testing");
        assert_eq!(
            message.into_bytes(),
            [
                0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67
            ]
        );
    }

    #[test]
    fn a_field_is_found_behind_others() {
        let mut inner = Message::new();
        inner.varint(1, 7);
        let mut message = Message::new();
        message.fixed64(1, 9).fixed32(2, 9).bytes(3, "x");
        message.message(4, &inner);
        let message = message.into_bytes();
        let Some(Field::Bytes(found)) = find(&message, 4) else {
            panic!("{message:?}");
        };
        assert_eq!(find(found, 1), Some(Field::Varint(7)));
        assert_eq!(find(&message, 5), None);
    }

    proptest! {
        #[test]
        fn whatever_a_collector_answers_can_be_read_to_its_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = fields(&bytes).count();
        }
    }
}
