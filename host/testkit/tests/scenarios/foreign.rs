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

/// A guest whose answer lists its checks: all of them hold, and what it wrote is to be seen.
fn checks(guest: &str, count: usize, kept: &str) {
    let every = vec!["{ ok: true }"; count].join(", ");
    all_pass(&scenarios(
        guest,
        &format!(
            "
given: {{ guest: GUEST, env: {{ greeting: hello }}, state: {{ statestore: {{ before: kept }} }} }}
scenarios:
  - name: all of its checks
    when:
      - request: GET /
        then: {{ status: 200, json: [{every}] }}
    then: {{ state: {{ statestore: {{ before: kept, {kept} }} }} }}
"
        ),
    ));
}

#[test]
fn a_component_of_wasi_keyvalue_0_2_0_draft_and_wasi_config() {
    checks("keyvalue", 14, "a: one, count: 7, delete: ~");
}

#[test]
fn a_component_of_wasi_keyvalue_0_2_0_draft2() {
    checks("keyvalue-draft2", 13, "delete: ~");
}

/// `wasi:cli`: the environment, and standard output, as every language's standard library uses them.
#[test]
fn a_component_that_knows_wasi_cli() {
    all_pass(&scenarios(
        "hostile",
        "
given: { guest: GUEST, env: { COLOUR: teal } }
scenarios:
  - name: it reads its environment and writes to its standard output
    when:
      - request: GET /env
        then: { status: 200, body: { $contains: COLOUR=teal } }
      - request: GET /log
        then: { status: 200 }
    then: { logs: { contain: [{ $regex: . }], lack: teal } }
  - name: a trap is an answer, and the next request finds another instance
    when:
      - request: GET /trap
        then: { status: 500, headers: { berth-reason: trap } }
      - request: GET /ok
        then: { status: 200, body: ok }
",
    ));
}
