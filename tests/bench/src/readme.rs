//! Puts the table into `tests/bench/README.md`, between its markers.

use crate::report::Report;
use anyhow::{Context, Result};
use std::{fs, path::Path};

const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- end of figures -->";

pub fn write(report: &Report) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let figures = format!("{}\n\n{}\n", report.machine(), report.table());
    let text = replace(&text, &figures)
        .with_context(|| format!("{} has no markers for the figures", file.display()))?;
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
}

fn replace(text: &str, figures: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, figures, END, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = format!("# Title\n{BEGIN}old\n{END}\nMore\n");
        let expected = format!("# Title\n{BEGIN}new\n{END}\nMore\n");
        assert_eq!(replace(&text, "new\n"), Some(expected));
        assert_eq!(replace("# No markers\n", "new\n"), None);
    }
}
