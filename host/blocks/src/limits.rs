//! Bounds of block calls, whatever the backend allows beyond them. Each has an error that names both sizes.

/// Bytes of a state key as the guest names it.
pub const STATE_KEY_BYTES_MAX: usize = 2048;
/// Bytes of one state value.
pub const STATE_VALUE_BYTES_MAX: usize = 64 << 20;
/// Items of one bulk call or transaction.
pub const BATCH_ITEMS_MAX: usize = 10_000;
/// Keys of one page, when the caller does not say.
pub const KEYS_PAGE_DEFAULT: u32 = 100;
/// Keys of one page.
pub const KEYS_PAGE_MAX: u32 = 1_000;
/// Bytes of one message, envelope not included.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Bytes of a topic name.
pub const TOPIC_BYTES_MAX: usize = 255;
/// Bytes of the name of a secret.
pub const SECRET_NAME_BYTES_MAX: usize = 1024;
