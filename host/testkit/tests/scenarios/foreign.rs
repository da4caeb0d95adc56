//! Components that were not made for berth: they know WASI's interfaces and nothing else.

use crate::{all_pass, scenarios};

#[test]
fn a_component_of_wasi_http_alone() {
    all_pass(&scenarios(
        "hello",
        "
given: { guest: GUEST }
scenarios:
  - name: it greets
    when:
      - request: GET /
        then: { status: 200, body: { $regex: (?i)hello } }
    then: { calls: { \"*\": 0 } }
",
    ));
}

#[test]
fn a_component_of_wasi_http_0_3() {
    all_pass(&scenarios(
        "hello-p3",
        "
given: { guest: GUEST }
scenarios:
  - name: it greets
    when:
      - request: GET /
        then: { status: 200, body: { $regex: (?i)hello } }
",
    ));
}

/// Every check of the guest passes on the store in memory, and what it wrote is to be seen.
#[test]
fn a_component_of_wasi_keyvalue_0_2_0_draft_and_wasi_config() {
    all_pass(&scenarios(
        "keyvalue",
        "
given: { guest: GUEST, env: { greeting: hello } }
scenarios:
  - name: all of its checks
    when:
      - request: GET /
        then: { status: 200, body: { $regex: '^((?!false).)*$' } }
    then: { state: { statestore: { a: one, count: 7, delete: ~ } } }
"
        .replace("'^((?!false).)*$'", "'\"ok\":true'")
        .as_str(),
    ));
}

#[test]
fn a_component_of_wasi_keyvalue_0_2_0_draft2() {
    all_pass(&scenarios(
        "keyvalue-draft2",
        "
given: { guest: GUEST, env: { greeting: hello } }
scenarios:
  - name: its checks, with a value that was there before
    given: { state: { statestore: { before: kept } } }
    when:
      - request: GET /
        then: { status: 200, body: { $contains: ok } }
    then: { state: { statestore: { before: kept } } }
",
    ));
}

/// `wasi:cli`: standard output, standard error and the environment, as every language's standard library uses them.
#[test]
fn a_component_that_writes_to_standard_output() {
    all_pass(&scenarios(
        "hostile",
        "
given: { guest: GUEST }
scenarios:
  - name: a limit ends it, and the answer says which
    when:
      - request: GET /trap
        then: { status: 500, headers: { berth-reason: trap } }
",
    ));
}
