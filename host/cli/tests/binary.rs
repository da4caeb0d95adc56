//! The binary starts. Since this is an integration test, cargo builds the binary for it, in the very form that the
//! end-to-end tests start: without it `cargo nextest run --workspace` would build none.

use std::process::Command;

#[test]
fn it_says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .arg("--version")
        .output()
        .expect("the binary is there");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("berth ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn arguments_that_it_does_not_know_are_wrong_input() {
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .arg("runn")
        .output()
        .expect("the binary is there");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("similar subcommand exists: 'run'"), "{said}");
}
