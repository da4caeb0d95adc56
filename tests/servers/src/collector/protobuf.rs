//! Protobuf's wire format, read field by field.

/// One field: its number and what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'b> {
    pub(super) number: u64,
    pub(super) value: Value<'b>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

impl<'b> Field<'b> {
    pub(super) fn number_value(&self) -> Result<u64, String> {
        match self.value {
            Value::Number(value) => Ok(value),
            Value::Bytes(_) => Err(format!("field {} is no number", self.number)),
        }
    }

    pub(super) fn bytes(&self) -> Result<&'b [u8], String> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) => Err(format!("field {} is no bytes", self.number)),
        }
    }

    pub(super) fn text(&self) -> Result<String, String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|error| error.to_string())
    }
}

/// All fields of a message.
pub(super) fn message(mut rest: &[u8]) -> Result<Vec<Field<'_>>, String> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut rest)?),
            1 => Value::Number(fixed(&mut rest, 8)?),
            2 => {
                let length = varint(&mut rest)?;
                let length = usize::try_from(length).map_err(|error| error.to_string())?;
                Value::Bytes(take(&mut rest, length)?)
            }
            5 => Value::Number(fixed(&mut rest, 4)?),
            other => return Err(format!("wire type {other}")),
        };
        fields.push(Field {
            number: tag >> 3,
            value,
        });
    }
    Ok(fields)
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], String> {
    let (taken, left) = rest
        .split_at_checked(length)
        .ok_or_else(|| "the message ends within a field".to_owned())?;
    *rest = left;
    Ok(taken)
}

fn fixed(rest: &mut &[u8], length: usize) -> Result<u64, String> {
    let bytes = take(rest, length)?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number of more than 64 bits".to_owned())
}
