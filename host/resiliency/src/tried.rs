//! What was tried, for the error at the end.

use crate::breaker::Refusal;
use std::{collections::VecDeque, fmt, time::Duration};

/// Different reasons in a row that are kept: the latest ones.
const REASONS_MAX: usize = 8;
/// Characters of one reason that are kept.
const REASON_CHARS_MAX: usize = 300;

/// Why no further attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The last failure is not one that is tried again.
    NotRetried,
    /// The policy has no more retries.
    Exhausted,
    /// The next attempt would begin after the deadline of the call.
    OutOfTime,
    /// The circuit breaker let no more through.
    Refused(Refusal),
    /// What was sent cannot be sent once more.
    Unrepeatable,
}

/// The attempts of one call that failed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tried {
    attempts: u32,
    /// Each with the attempts that it holds for.
    reasons: VecDeque<(u32, u32, String)>,
    elapsed: Duration,
    ending: Option<Ending>,
}

impl Tried {
    pub(crate) fn fail(&mut self, reason: &str) {
        self.attempts = self.attempts.saturating_add(1);
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        match self.reasons.back_mut() {
            Some((_, last, same)) if *same == reason => *last = self.attempts,
            _ => {
                if self.reasons.len() == REASONS_MAX {
                    self.reasons.pop_front();
                }
                self.reasons
                    .push_back((self.attempts, self.attempts, reason));
            }
        }
    }

    pub(crate) fn end(&mut self, ending: Ending, elapsed: Duration) {
        self.ending = Some(ending);
        self.elapsed = elapsed;
    }

    /// Attempts that were made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Why there was no further one.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Whether there is more to say than what the last attempt says itself.
    #[must_use]
    pub fn is_worth_telling(&self) -> bool {
        self.attempts > 1 || !matches!(self.ending, None | Some(Ending::NotRetried))
    }
}

/// `failed after 3 attempts in 10s: attempts 1-2: connection refused; attempt 3: no answer within 500ms`
impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = match self.attempts {
            0 => return self.fmt_refusal(f),
            1 => "1 attempt".to_owned(),
            more => format!("{more} attempts"),
        };
        write!(f, "failed after {attempts}")?;
        let elapsed = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        if elapsed > 0 {
            write!(f, " in {:?}", Duration::from_millis(elapsed))?;
        }
        match self.ending {
            Some(Ending::OutOfTime) => f.write_str(", no time is left for another")?,
            Some(Ending::Unrepeatable) => f.write_str(", its body cannot be sent again")?,
            Some(Ending::Refused(refusal)) => write!(f, ", {refusal}")?,
            Some(Ending::NotRetried | Ending::Exhausted) | None => {}
        }
        for (index, (first, last, reason)) in self.reasons.iter().enumerate() {
            let between = if index == 0 { ":" } else { ";" };
            match last - first {
                0 => write!(f, "{between} attempt {first}: {reason}")?,
                _ => write!(f, "{between} attempts {first}-{last}: {reason}")?,
            }
        }
        Ok(())
    }
}

impl Tried {
    /// Nothing was tried at all.
    fn fmt_refusal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ending {
            Some(Ending::Refused(refusal)) => write!(f, "{refusal}"),
            _ => f.write_str("no attempt was made"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_reasons_are_told_once() {
        let mut tried = Tried::default();
        for reason in ["refused", "refused", "no answer", "refused"] {
            tried.fail(reason);
        }
        tried.end(Ending::Exhausted, Duration::from_micros(15_000_400));
        assert_eq!(
            tried.to_string(),
            "failed after 4 attempts in 15s: attempts 1-2: refused; attempt 3: no answer; attempt 4: refused"
        );
    }

    #[test]
    fn the_end_is_told_with_its_cause() {
        let mut tried = Tried::default();
        assert_eq!(tried.to_string(), "no attempt was made");
        tried.end(
            Ending::Refused(Refusal::Open(Duration::from_millis(44_900))),
            Duration::ZERO,
        );
        assert_eq!(
            tried.to_string(),
            "its circuit breaker is open for another 44.9s"
        );
        tried.fail("refused");
        assert!(tried.is_worth_telling());
        assert_eq!(
            tried.to_string(),
            "failed after 1 attempt, its circuit breaker is open for another 44.9s: attempt 1: refused"
        );
        tried.end(Ending::NotRetried, Duration::from_secs(1));
        assert!(!tried.is_worth_telling());
    }

    #[test]
    fn a_long_history_keeps_its_end() {
        let mut tried = Tried::default();
        for attempt in 0..100 {
            tried.fail(&format!("reason {attempt}"));
        }
        tried.end(Ending::OutOfTime, Duration::from_secs(1));
        let text = tried.to_string();
        assert!(text.starts_with("failed after 100 attempts in 1s, no time is left for another: attempt 93: reason 92;"), "{text}");
        tried.fail(&"x".repeat(10_000));
        assert!(tried.to_string().len() < 1_000);
    }
}
