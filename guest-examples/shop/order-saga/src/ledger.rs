//! What was done in the world for an order: each effect once, however often its activity ran.

use serde::{Deserialize, Serialize};
use shop_kit::{Documents, Failure, attempts, if_absent, if_unchanged, won};

/// The effects of one order, in the order in which they first happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ledger {
    pub entries: Vec<Entry>,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub effect: String,
    /// The same for all attempts of one activity.
    pub key: String,
    /// How often an attempt came this far.
    pub attempts: u64,
}

impl Ledger {
    /// Notes an attempt; a key that is known is the same effect once more.
    fn add(&mut self, effect: &str, key: &str) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(known) => known.attempts += 1,
            None => self.entries.push(Entry {
                effect: effect.to_owned(),
                key: key.to_owned(),
                attempts: 1,
            }),
        }
    }
}

/// Notes that an activity has had its effect.
pub fn note(order_id: &str, effect: &str, idempotency_key: &str) -> Result<(), Failure> {
    let documents = Documents::open("statestore")?;
    let key = key(order_id);
    for _ in attempts() {
        let (mut ledger, options) = match documents.find::<Ledger>(&key)? {
            Some(stored) => (stored.value, if_unchanged(stored.etag)),
            None => (Ledger::default(), if_absent()),
        };
        ledger.add(effect, idempotency_key);
        if won(documents.save(&key, &ledger, options))? {
            return Ok(());
        }
    }
    Err(Failure::unavailable(
        "the ledger is being written by others",
    ))
}

/// What was done for an order.
pub fn read(order_id: &str) -> Result<Ledger, Failure> {
    let stored = Documents::open("statestore")?.find::<Ledger>(&key(order_id))?;
    Ok(stored.map(|stored| stored.value).unwrap_or_default())
}

fn key(order_id: &str) -> String {
    format!("ledger-{order_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_with_a_known_key_is_no_other_effect() {
        let mut ledger = Ledger::default();
        for (effect, key) in [("pay", "1"), ("pay", "1"), ("refund", "2")] {
            ledger.add(effect, key);
        }
        let seen: Vec<_> = ledger
            .entries
            .iter()
            .map(|entry| (entry.effect.as_str(), entry.attempts))
            .collect();
        assert_eq!(seen, [("pay", 2), ("refund", 1)]);
    }
}
