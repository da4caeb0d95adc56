//! Durations as Go writes them.

use crate::node::quote;
use std::time::Duration;

const EXPECTED: &str = "a duration such as `500ms`, `5s` or `1h30m`";

/// Parses Go's form of a duration: `1h30m`, `1.5s`, `500ms`, `0`. Negative ones are refused.
///
/// # Errors
/// A text that says what was expected and what was found.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match go(text) {
        Some(duration) => Ok(duration),
        None if text.starts_with('-') && go(&text[1..]).is_some() => Err(format!(
            "expected {EXPECTED}, found the negative {}",
            quote(text)
        )),
        None if milliseconds(text).is_some() => Err(format!(
            "expected {EXPECTED}, found {} without a unit",
            quote(text)
        )),
        None => Err(format!("expected {EXPECTED}, found {}", quote(text))),
    }
}

/// Like [`parse_duration`], and a bare number counts milliseconds, as in Dapr's Resiliency documents.
///
/// # Errors
/// A text that says what was expected and what was found.
pub fn parse_duration_or_millis(text: &str) -> Result<Duration, String> {
    milliseconds(text).map_or_else(|| parse_duration(text), Ok)
}

fn milliseconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = if digits {
        text.parse().ok()?
    } else {
        return None;
    };
    Some(Duration::from_millis(count))
}

fn go(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, tail) = rest.split_at(number);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, after) = tail.split_at(end);
        nanos = nanos.checked_add(scaled(digits, unit_nanos(unit)?)?)?;
        rest = after;
    }
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `digits`, perhaps with a fraction, times `unit`.
pub(crate) fn scaled(digits: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    // Digits beyond these cannot make a difference of one.
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let part: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let power = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    whole
        .checked_mul(unit)?
        .checked_add(part.checked_mul(unit)? / power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_forms_are_read() {
        let cases = [
            ("500ms", 500),
            ("5s", 5_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("0", 0),
            ("0s", 0),
            (".5s", 500),
            ("1m0.25s", 60_250),
            ("2000us", 2),
        ];
        for (text, millis) in cases {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn other_forms_say_what_is_wrong() {
        let error = |text| parse_duration(text).unwrap_err();
        assert_eq!(
            error("5"),
            format!("expected {EXPECTED}, found `5` without a unit")
        );
        assert_eq!(
            error("-5s"),
            format!("expected {EXPECTED}, found the negative `-5s`")
        );
        for text in [
            "",
            "s",
            "5 s",
            "5sec",
            "1d",
            "5s3",
            "1..5s",
            "99999999999h",
            "é",
        ] {
            assert_eq!(
                error(text),
                format!("expected {EXPECTED}, found {}", quote(text)),
                "{text}"
            );
        }
    }

    #[test]
    fn bare_numbers_are_milliseconds_where_dapr_says_so() {
        assert_eq!(
            parse_duration_or_millis("250"),
            Ok(Duration::from_millis(250))
        );
        assert_eq!(parse_duration_or_millis("3s"), Ok(Duration::from_secs(3)));
        assert!(parse_duration_or_millis("2.5").is_err());
    }
}
