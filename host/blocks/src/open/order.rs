//! In which order secret stores are opened: a store whose metadata refers to another one comes after it.

use super::secrets;
use berth_resources::Component;

/// The next stores to open, all at once; the rest waits for them. No next with a rest: the rest waits for itself.
pub(super) fn ready<'c>(
    waiting: Vec<&'c Component>,
    all: &[Component],
) -> (Vec<&'c Component>, Vec<&'c Component>) {
    let is_waiting = |store: &str, of: &Component| {
        waiting
            .iter()
            .any(|other| other.name == store && other.namespace == of.namespace)
    };
    let blocked = |component: &Component| {
        secrets::store_of(&component.into(), all)
            .is_ok_and(|store| store.is_some_and(|store| is_waiting(store, component)))
    };
    let (blocked, ready): (Vec<_>, Vec<_>) = waiting
        .iter()
        .copied()
        .partition(|component| blocked(component));
    (ready, blocked)
}
