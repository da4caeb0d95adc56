//! The runner of shared servers, as a test run uses it.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// Starts PostgreSQL and runs a shell script beside it.
fn with_postgres(script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-servers"));
    command.args(["postgres", "--", "sh", "-c", script]);
    command
}

/// The script says the address first.
const SAY: &str = "echo \"$BERTH_TEST_POSTGRES\"";

fn listens(address: &str) -> bool {
    std::net::TcpStream::connect(address.trim()).is_ok()
}

#[test]
fn the_command_finds_a_server_and_its_exit_code_is_passed_on() {
    let output = with_postgres(&format!("{SAY}; exit 3")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let address = String::from_utf8(output.stdout).unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert!(!listens(&address), "{address} outlived the run");
}

#[test]
fn a_run_that_is_terminated_leaves_no_server() {
    let mut run = with_postgres(&format!("{SAY}; exec sleep 600"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(run.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    assert!(listens(&address), "{address}");
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    let status = run.wait().unwrap();
    assert_eq!(status.code(), Some(128 + Signal::TERM.as_raw()));
    assert!(!listens(&address), "{address} outlived the run");
}

#[test]
fn an_unknown_server_is_refused_before_anything_starts() {
    let output = Command::new(env!("CARGO_BIN_EXE_with-servers"))
        .args(["oracle", "--", "true"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        said.starts_with("with-servers: no server `oracle`\n"),
        "{said}"
    );
}
