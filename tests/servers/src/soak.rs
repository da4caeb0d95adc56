//! How much a test does.

use std::env;

/// Set by `cargo xtask test --soak`.
const VARIABLE: &str = "BERTH_SOAK";

/// `ordinary`, or `long` in a run that may take hours.
#[must_use]
pub fn extent<T>(ordinary: T, long: T) -> T {
    if env::var_os(VARIABLE).is_some() {
        long
    } else {
        ordinary
    }
}
