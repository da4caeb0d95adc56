//! Every wrong file in `tests/invalid` has its report beside it; `BERTH_UPDATE=1` writes the reports anew.

use crate::lines;
use berth_testkit::read_test;
use std::{fs, path::Path};

#[test]
fn every_wrong_file_is_reported_as_it_was() {
    let folder = Path::new("tests/invalid");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| berth_testkit::is_test_file(path))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "{} cases", files.len());
    let update = std::env::var_os("BERTH_UPDATE").is_some();
    let here = std::env::current_dir().unwrap();
    let mut wrong = Vec::new();
    for path in files {
        let findings = read_test(&path).expect_err("it is wrong");
        let found = format!("{}\n", lines(&findings));
        let found = found.replace(&format!("{}/", here.display()), "");
        let expected = path.with_extension("txt");
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
