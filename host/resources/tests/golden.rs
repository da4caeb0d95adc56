//! Every file in `invalid` has its report beside it; `BERTH_UPDATE=1` writes the reports anew.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use berth_resources::{LoadOptions, Source, load};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn cases(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    files
}

/// What `check` says of one file, with this machine's paths taken out.
fn report(file: &Path) -> String {
    let options = LoadOptions {
        env: &|_| None,
        ..LoadOptions::default()
    };
    let loaded = load(&[Source::Dir(file.to_owned())], &options);
    let lines: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    let here = std::env::current_dir().unwrap();
    format!("{}\n", lines.join("\n")).replace(&format!("{}/", here.display()), "")
}

#[test]
fn every_wrong_document_is_reported_as_it_was() {
    let cases = cases("tests/invalid");
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let update = std::env::var_os("BERTH_UPDATE").is_some();
    let mut wrong = Vec::new();
    for case in cases {
        let found = report(&case);
        assert!(found.len() > 1, "{} has no finding", case.display());
        let expected = case.with_extension("txt");
        if update {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("--- {}\n{found}", expected.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "reports differ (BERTH_UPDATE=1 accepts them):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_report_is_sorted_and_says_nothing_twice() {
    let options = LoadOptions {
        env: &|_| None,
        ..LoadOptions::default()
    };
    let loaded = load(&[Source::Dir("tests/invalid".into())], &options);
    assert!(loaded.has_errors());
    assert!(loaded.diagnostics.is_sorted());
    let mut once = loaded.diagnostics.clone();
    once.dedup();
    assert_eq!(once.len(), loaded.diagnostics.len());
}
