//! What people see when berth itself is wrong.

use crate::ui;
use std::panic::PanicHookInfo;

/// A panic ends its task, not the host; it must not end unseen.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|panic| {
        ui::error(&text(&message(panic), &place(panic)));
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            let backtrace = std::backtrace::Backtrace::force_capture();
            ui::error_lines(&backtrace.to_string());
        }
    }));
}

fn text(message: &str, place: &str) -> String {
    format!(
        "this is a bug in berth {}: {message} (at {place})\n  \
         hint: please report it with this line and what you did; RUST_BACKTRACE=1 shows more",
        env!("CARGO_PKG_VERSION")
    )
}

fn message(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panic").to_owned()
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic
        .location()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_reads_as_a_bug_of_berth() {
        let text = text("index out of bounds", "host/blocks/src/state.rs:12:5");
        insta::assert_snapshot!(text, @r"
        this is a bug in berth 0.1.0: index out of bounds (at host/blocks/src/state.rs:12:5)
          hint: please report it with this line and what you did; RUST_BACKTRACE=1 shows more
        ");
    }
}
