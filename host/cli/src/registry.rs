//! The drivers of this binary.

use berth_blocks::{memory, registry::Registry};

/// All drivers: those with an engine, and those in memory.
pub fn registry() -> Registry {
    let mut registry = berth_drivers::registry();
    registry.0.extend(memory::in_memory());
    registry
}
