//! The drivers of this binary.

use berth_blocks::registry::Registry;

/// All drivers: those with an engine, and those in memory.
pub fn registry() -> Registry {
    berth_drivers::registry()
}
