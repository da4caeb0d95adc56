//! What a span may hold: guests write into it, and the queues hold thousands.

/// Attributes of a span or an event.
pub(super) const ATTRIBUTES_MAX: usize = 64;
/// Events of a span.
pub(super) const EVENTS_MAX: usize = 64;
/// Links of a span: a batch of messages may have more.
pub(super) const LINKS_MAX: usize = 128;
/// Bytes of a name.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// Bytes of a value.
pub(super) const VALUE_BYTES_MAX: usize = 1024;
/// Spans of a guest that are open at the same time within one call.
pub(super) const OPEN_MAX: usize = 64;

/// The beginning of a text that fits.
pub(super) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
    text
}
