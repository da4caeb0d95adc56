//! What was done in the world for an order: each effect once, however often its activity ran.

use berth_sdk::state::Store;
use serde::{Deserialize, Serialize};
use shop_kit::{Failure, STORE};

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
    let add = |ledger: Option<Ledger>| {
        let mut ledger = ledger.unwrap_or_default();
        ledger.add(effect, idempotency_key);
        ledger
    };
    Store::open(STORE)?.update(&key(order_id), add)?;
    Ok(())
}

/// What was done for an order.
pub fn read(order_id: &str) -> Result<Ledger, Failure> {
    Ok(Store::open(STORE)?.get(&key(order_id))?.unwrap_or_default())
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
