//! Randomness, for everything but workflows: those have [`Context::random`](crate::workflow::Context::random).

use crate::bindings::imports::wasi::random::random::{get_random_bytes, get_random_u64};
use std::fmt::Write;

/// Random bytes, fit for keys.
#[must_use]
pub fn bytes(count: usize) -> Vec<u8> {
    get_random_bytes(count as u64)
}

/// A random number.
#[must_use]
pub fn number() -> u64 {
    get_random_u64()
}

/// A UUID (version 4).
#[must_use]
pub fn uuid() -> String {
    written(&bytes(16))
}

/// With the bits that RFC 9562 wants.
fn written(random: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in random.iter().enumerate() {
        let byte = match place {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        assert_eq!(written(&[0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(written(&[0; 16]), "00000000-0000-4000-8000-000000000000");
    }
}
