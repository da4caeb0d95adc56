//! What is told of scenarios that do not hold.

use crate::{problems, scenarios};

/// The guest of these scenarios.
const WORKER: &str = "worker";

#[test]
fn a_wrong_status_shows_the_body() {
    let file = scenarios(
        "hello",
        "
given: { guest: GUEST }
scenarios:
  - name: it is not there
    when:
      - request: GET /
        then: { status: 404 }
",
    );
    let told = problems(&file);
    assert!(
        told.starts_with("inline.test.yaml:7:25: status is 200, expected 404\n    the body is "),
        "{told}"
    );
}

#[test]
fn a_misspelt_store_is_named_with_the_nearest_one() {
    let file = scenarios(
        WORKER,
        "
given:
  guest: GUEST
  state: { statstore: { a: 1 } }
scenarios:
  - name: nothing happens
",
    );
    insta::assert_snapshot!(problems(&file), @"inline.test.yaml:4:12: there is no state store `statstore` (did you mean `statestore`?)");
}

#[test]
fn a_workflow_that_is_not_done_says_what_it_waits_for() {
    let file = scenarios(
        WORKER,
        "
given: { guest: GUEST }
scenarios:
  - name: it waits
    when:
      - start: { workflow: program, id: p1, input: [{ event: paid, timeout: 3600000 }] }
    then: { workflows: { p1: completed } }
",
    );
    let told = problems(&file);
    assert!(
        told.contains("workflow `p1` is RUNNING, expected COMPLETED"),
        "{told}"
    );
    assert!(told.contains("it waits for"), "{told}");
}

#[test]
fn spans_are_known_by_their_names() {
    let file = scenarios(
        WORKER,
        "
given: { guest: GUEST }
scenarios:
  - name: it runs
    when:
      - start: { workflow: program, id: p1, input: [{ activity: echo, input: 1 }] }
    then: { spans: { contain: workflow.run program, lack: workflow.run } }
",
    );
    let told = problems(&file);
    assert!(told.contains("a line of the spans is"), "{told}");
    assert!(told.contains("- workflow.run program"), "{told}");
    assert!(!told.contains("no line"), "{told}");
}
