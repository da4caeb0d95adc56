//! What the command writes: results to stdout, everything about them to stderr. Colour only for people.

use berth_resources::{Diagnostic, Severity};
use comfy_table::{Cell, ContentArrangement, Table, presets};
use owo_colors::{OwoColorize, Style};
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// Whether people see what goes to stderr, and want colours.
pub fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Writes a result. Nobody is left to tell when stdout is closed, as in `berth apps | head -1`.
pub fn out(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes a result as it is, without a line break of our own.
pub fn out_bytes(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(bytes);
    let _ = stdout.flush();
}

/// Writes `error: ...`.
pub fn error(text: &str) {
    let label = paint_error("error:", Style::new().red().bold());
    error_lines(&format!("{label} {text}"));
}

/// Writes `warning: ...`.
pub fn warning(text: &str) {
    let label = paint_error("warning:", Style::new().yellow().bold());
    error_lines(&format!("{label} {text}"));
}

/// Writes a remark that is no result.
pub fn note(text: &str) {
    error_lines(text);
}

/// Writes lines to stderr.
pub fn error_lines(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// One finding about a document, its place first, so that editors and people can jump there.
pub fn finding(finding: &Diagnostic) -> String {
    let (word, style) = match finding.severity {
        Severity::Error => ("error:", Style::new().red().bold()),
        Severity::Warning => ("warning:", Style::new().yellow().bold()),
    };
    let word = paint_error(word, style);
    let mut text = format!("{}: {word} {}", finding.origin, finding.message);
    if let Some(hint) = &finding.hint {
        text.push_str("\n  hint: ");
        text.push_str(hint);
    }
    text
}

/// `1 app`, `2 apps`.
pub fn plural(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}

/// `2 errors, 1 warning`.
pub fn count(findings: &[Diagnostic]) -> String {
    let of = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    match (errors, warnings) {
        (0, 0) => "no findings".to_owned(),
        (0, _) => plural(warnings, "warning"),
        (_, 0) => plural(errors, "error"),
        _ => format!(
            "{}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        ),
    }
}

/// A table without lines: columns of words, read by people and by `awk`.
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.map(|name| Cell::new(paint(name, Style::new().dimmed()))));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines();
    let lines: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Colours a text for stdout.
pub fn paint(text: &str, style: Style) -> String {
    styled(text, style, io::stdout().is_terminal())
}

fn paint_error(text: &str, style: Style) -> String {
    styled(text, style, io::stderr().is_terminal())
}

fn styled(text: &str, style: Style, terminal: bool) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if terminal && wanted {
        text.style(style).to_string()
    } else {
        text.to_owned()
    }
}

/// A duration with two or three digits that matter: `840 µs`, `12 ms`, `1.4 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 9.95 {
        format!("{seconds:.0} s")
    } else if seconds >= 0.9995 {
        format!("{seconds:.1} s")
    } else if seconds >= 0.000_999_5 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_resources::Origin;

    #[test]
    fn durations_show_what_matters() {
        let shown = [15, 840, 12_300, 999_600, 1_440_000, 75_000_000]
            .map(|micros| duration(Duration::from_micros(micros)));
        assert_eq!(
            shown,
            ["15 µs", "840 µs", "12 ms", "1.0 s", "1.4 s", "75 s"]
        );
    }

    #[test]
    fn a_table_has_no_lines_and_no_trailing_blanks() {
        let rows = [
            ["orders".to_owned(), "healthy".to_owned()],
            ["x".to_owned(), String::new()],
        ];
        insta::assert_snapshot!(table(["NAME", "STATUS"], rows), @r"
        NAME    STATUS
        orders  healthy
        x
        ");
    }

    #[test]
    fn a_finding_begins_with_its_place() {
        let origin = Origin {
            file: std::path::Path::new("shop/state.yaml").into(),
            line: 12,
            column: 9,
        };
        let found = Diagnostic {
            origin,
            severity: Severity::Error,
            message: "unknown metadata `redisHots`".to_owned(),
            hint: Some("did you mean `redisHost`?".to_owned()),
        };
        assert_eq!(count(std::slice::from_ref(&found)), "1 error");
        insta::assert_snapshot!(finding(&found), @r"
        shop/state.yaml:12:9: error: unknown metadata `redisHots`
          hint: did you mean `redisHost`?
        ");
    }
}
