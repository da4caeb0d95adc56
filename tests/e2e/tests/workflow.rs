//! Workflows of guests: what they do, what they may not do, and that nothing of it is lost.

mod common;

#[path = "workflow/limits.rs"]
mod limits;
#[path = "workflow/survival.rs"]
mod survival;
#[path = "workflow/versions.rs"]
mod versions;

use anyhow::{Context, Result, ensure};
use berth_e2e::{Answer, Folder, Host, eventually, guest, timely};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A host with the guest `worker`.
struct Workshop {
    /// Removed at the end.
    _folder: Folder,
    host: Host,
}

impl Workshop {
    async fn open() -> Result<Self> {
        let folder = Folder::new()?;
        folder.app("worker", &guest("worker")?, "")?;
        let host = Host::run(folder.path()).await?;
        Ok(Self {
            _folder: folder,
            host,
        })
    }

    /// A call of the guest's own client.
    async fn client(&self, call: &str, body: &Value) -> Result<Answer> {
        let request = self
            .host
            .client()
            .request(Method::POST, &format!("/{call}"));
        Answer::to(request.body(body.to_string())).await
    }

    async fn asks(&self, call: &str, body: &Value) -> Result<Value> {
        let answer = self.client(call, body).await?;
        ensure!(answer.status == 200, "{call}: {answer}");
        Ok(answer.json())
    }

    async fn start(&self, id: &str, steps: Value) -> Result<()> {
        let started = self.asks(&format!("start/{id}"), &steps).await?;
        ensure!(started == json!(id), "{started}");
        Ok(())
    }

    /// Runs a program to its end.
    async fn runs(&self, id: &str, steps: Value) -> Result<Value> {
        self.start(id, steps).await?;
        self.asks(&format!("wait/{id}"), &Value::Null).await
    }

    async fn get(&self, id: &str) -> Result<Value> {
        self.asks(&format!("get/{id}"), &Value::Null).await
    }

    /// Waits until an instance shows what is wanted.
    async fn becomes(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(id, timely(), async || {
            let seen = self.get(id).await.map_err(|error| format!("{error:#}"))?;
            if wanted(&seen) {
                Ok(seen)
            } else {
                Err(seen.to_string())
            }
        })
        .await
    }

    async fn stalls(&self, id: &str) -> Result<String> {
        let seen = self
            .becomes(id, |seen| seen["status"] == "Status::Stalled")
            .await?;
        Ok(seen["problem"].as_str().unwrap_or_default().to_owned())
    }

    /// What an activity counted under a key.
    async fn count(&self, key: &str) -> Result<u64> {
        let path = format!("/v1.0/state/statestore/{key}");
        let answer = self.host.dapr("worker")?.get(&path).await?;
        Ok(answer.text().parse().unwrap_or(0))
    }

    async fn dapr(&self, method: Method, path: &str, body: &str) -> Result<Answer> {
        let request = self.host.dapr("worker")?.request(method, path);
        Answer::to(request.body(body.to_owned())).await
    }
}

fn output(instance: &Value) -> Result<&Value> {
    ensure!(instance["status"] == "Status::Completed", "{instance}");
    Ok(&instance["output"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_calls_waits_and_starts_others() -> Result<()> {
    let shop = Workshop::open().await?;
    let done = shop
        .runs(
            "all",
            json!([
                {"activity": "echo", "input": {"a": [1, "ä"]}},
                {"parallel": [["echo", 1], ["echo", 2], ["sleep", 1]]},
                {"first": [["sleep", 60_000], ["echo", 7]]},
                {"child": "program", "input": [{"instance": 1}], "id": "child"},
                {"activity": "flaky", "input": 3, "attempts": 5},
                {"activity": "fail", "input": {"kind": "card"}, "attempts": 2},
                {"activity": "fail", "input": {"final": true}},
                {"activity": "nothing"},
                {"activity": "echo", "queued": true, "input": 9},
                {"event": "never", "timeout": 1},
                {"sleep": 1},
                {"status": "halfway"},
                {"patched": "one"},
            ]),
        )
        .await?;
    let results = output(&done)?.as_array().context("a list")?.clone();
    let expected = json!([
        {"a": [1, "ä"]},
        [1, 2, null],
        [1, true, 7],
        ["child"],
        3,
        {"failed": "card", "message": "as told"},
        {"failed": "fail", "message": "as told"},
    ]);
    ensure!(json!(results[..7]) == expected, "{results:?}");
    ensure!(results[7]["failed"] == "berth.unknown", "{results:?}");
    ensure!(
        json!(results[8..]) == json!([9, {"failed": "timeout"}, null, null, true]),
        "{results:?}"
    );
    ensure!(done["custom"] == "halfway", "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_a_guest_does_what_it_says() -> Result<()> {
    let shop = Workshop::open().await?;
    let wait = json!([{"event": "go"}, {"event": "go"}]);
    shop.start("one", wait.clone()).await?;
    let waits = shop
        .becomes("one", |seen| !seen["waitingOn"].is_null())
        .await?;
    ensure!(waits["waitingOn"].to_string().contains("go"), "{waits}");
    // Sent twice under one ID: it counts once.
    shop.asks("raise/one?event=GO&id=x", &json!(1)).await?;
    shop.asks("raise/one?event=go&id=x", &json!(2)).await?;
    shop.asks("suspend/one", &Value::Null).await?;
    shop.becomes("one", |seen| seen["status"] == "Status::Suspended")
        .await?;
    shop.asks("raise/one?event=go", &json!(3)).await?;
    shop.asks("resume/one", &Value::Null).await?;
    let done = shop.asks("wait/one", &Value::Null).await?;
    ensure!(output(&done)? == &json!([1, 3]), "{done}");

    // The same ID again: allowed after the end, an error while it runs, idempotent if asked for.
    shop.start("one", wait.clone()).await?;
    let taken = shop.client("start/one", &wait).await?;
    ensure!(taken.text().contains("Exists"), "{taken}");
    let same = shop.asks("start/one?never&existing", &wait).await?;
    ensure!(same == json!("one"), "{same}");
    let unpurgeable = shop.client("purge/one", &Value::Null).await?;
    ensure!(unpurgeable.text().contains("NotAllowed"), "{unpurgeable}");

    shop.start(
        "undone",
        json!([{"event": "go"}, {"activity": "echo", "input": "undo"}]),
    )
    .await?;
    shop.becomes("undone", |seen| !seen["waitingOn"].is_null())
        .await?;
    shop.asks("cancel/undone", &Value::Null).await?;
    let undone = shop.asks("wait/undone", &Value::Null).await?;
    ensure!(
        output(&undone)? == &json!([{"failed": "canceled"}, "undo"]),
        "{undone}"
    );

    shop.asks("terminate/one", &Value::Null).await?;
    let ended = shop.asks("wait/one", &Value::Null).await?;
    ensure!(ended["status"] == "Status::Terminated", "{ended}");
    // Twice is no error, and an event for it is dropped.
    shop.asks("terminate/one", &Value::Null).await?;
    shop.asks("raise/one?event=go", &Value::Null).await?;
    let listed = shop.asks("list/", &Value::Null).await?;
    ensure!(listed.as_array().map(Vec::len) == Some(2), "{listed}");
    ensure!(shop.asks("purge/one", &Value::Null).await? == json!(true));
    ensure!(shop.get("one").await?.is_null());

    let rerun = shop
        .asks("rerun/undone?event=0", &json!([{"instance": 1}]))
        .await?;
    let id = rerun.as_str().context("an ID")?;
    let again = shop.asks(&format!("wait/{id}"), &Value::Null).await?;
    ensure!(output(&again)? == &json!([id]), "{again}");
    let unknown = shop
        .client("start/x?workflow=nothing", &Value::Null)
        .await?;
    ensure!(
        unknown.text().contains("has no workflow `nothing`"),
        "{unknown}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn daprs_routes_start_show_and_change_instances() -> Result<()> {
    let shop = Workshop::open().await?;
    let base = "/v1.0-beta1/workflows/dapr";
    let steps = r#"[{"status": "waits"}, {"event": "go"}]"#;
    let started = shop
        .dapr(
            Method::POST,
            &format!("{base}/program/start?instanceID=a-1"),
            steps,
        )
        .await?;
    ensure!(started.status == StatusCode::ACCEPTED, "{started}");
    ensure!(started.json() == json!({"instanceID": "a-1"}), "{started}");
    let running = eventually("it waits", timely(), async || {
        let got = shop.dapr(Method::GET, &format!("{base}/a-1"), "").await;
        let got = got.map_err(|error| format!("{error:#}"))?;
        let status = &got.json()["properties"]["dapr.workflow.custom_status"];
        (*status == "waits")
            .then(|| got.json())
            .ok_or(got.to_string())
    })
    .await?;
    ensure!(running["runtimeStatus"] == "RUNNING", "{running}");
    ensure!(running["workflowName"] == "program", "{running}");
    ensure!(
        running["properties"]["dapr.workflow.input"] == steps,
        "{running}"
    );
    for (change, status) in [("pause", "SUSPENDED"), ("resume", "RUNNING")] {
        let path = format!("{base}/a-1/{change}");
        let changed = shop.dapr(Method::POST, &path, "").await?;
        ensure!(changed.status == StatusCode::ACCEPTED, "{changed}");
        ensure!(changed.json() == json!({}), "{changed}");
        eventually(status, timely(), async || {
            let got = shop.dapr(Method::GET, &format!("{base}/a-1"), "").await;
            let got = got.map_err(|error| format!("{error:#}"))?;
            (got.json()["runtimeStatus"] == status)
                .then_some(())
                .ok_or(got.to_string())
        })
        .await?;
    }
    let raised = shop
        .dapr(Method::POST, &format!("{base}/a-1/raiseEvent/go"), "17")
        .await?;
    ensure!(raised.status == StatusCode::ACCEPTED, "{raised}");
    shop.asks("wait/a-1", &Value::Null).await?;
    let done = shop
        .dapr(Method::GET, "/v1.0/workflows/x/a-1?appID=worker", "")
        .await?
        .json();
    ensure!(done["runtimeStatus"] == "COMPLETED", "{done}");
    ensure!(
        done["properties"]["dapr.workflow.output"] == "[null,17]",
        "{done}"
    );

    let failed = |path: &str, status: u16, code: &'static str| {
        let (path, method) = (path.to_owned(), Method::POST);
        let shop = &shop;
        async move {
            let method = if path.starts_with('=') {
                Method::GET
            } else {
                method
            };
            let path = path.trim_start_matches('=');
            let answer = shop.dapr(method, &format!("{base}/{path}"), "[]").await?;
            ensure!(
                answer.status == status && answer.json()["errorCode"] == code,
                "{path}: {answer}"
            );
            anyhow::Ok(())
        }
    };
    failed("=none", 404, "ERR_INSTANCE_ID_NOT_FOUND").await?;
    failed("none/terminate", 404, "ERR_INSTANCE_ID_NOT_FOUND").await?;
    failed("none/purge", 404, "ERR_INSTANCE_ID_NOT_FOUND").await?;
    failed("none/pause", 500, "ERR_PAUSE_WORKFLOW").await?;
    failed("none/resume", 500, "ERR_RESUME_WORKFLOW").await?;
    failed("none/raiseEvent/go", 500, "ERR_RAISE_EVENT_WORKFLOW").await?;
    failed("nothing/start", 500, "ERR_START_WORKFLOW").await?;
    failed(
        "program/start?instanceID=a%20b",
        400,
        "ERR_INSTANCE_ID_INVALID",
    )
    .await?;
    let long = "x".repeat(65);
    failed(
        &format!("program/start?instanceID={long}"),
        400,
        "ERR_INSTANCE_ID_TOO_LONG",
    )
    .await?;
    let purged = shop
        .dapr(Method::POST, &format!("{base}/a-1/purge"), "")
        .await?;
    ensure!(purged.status == StatusCode::ACCEPTED, "{purged}");
    failed("=a-1", 404, "ERR_INSTANCE_ID_NOT_FOUND").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_runs_shows_and_changes_instances() -> Result<()> {
    let shop = Workshop::open().await?;
    let berth = async |words: &[&str]| -> Result<String> {
        let arguments = [&["workflow"], words].concat();
        let finished = shop.host.berth(arguments)?.run().await?;
        ensure!(finished.code == Some(0), "{finished}");
        Ok(finished.text())
    };
    let steps = r#"[{"activity":"echo","input":1},{"event":"go"}]"#;
    let run = berth(&["run", "worker", "program", "--id", "x", "-d", steps]).await?;
    ensure!(run.trim() == "x", "{run}");
    shop.becomes("x", |seen| !seen["waitingOn"].is_null())
        .await?;
    let listed = berth(&["list", "--status", "running"]).await?;
    ensure!(
        listed.contains("program") && listed.contains("go"),
        "{listed}"
    );
    berth(&["suspend", "worker", "x"]).await?;
    berth(&["resume", "worker", "x"]).await?;
    berth(&["raise-event", "worker", "x", "go", "-d", "5"]).await?;
    let got = berth(&["get", "worker", "x", "--wait"]).await?;
    ensure!(got.contains("completed") && got.contains("[1,5]"), "{got}");
    let history = berth(&["history", "worker", "x"]).await?;
    for word in [
        "started",
        "activity-scheduled",
        "name=echo",
        "event-raised",
        "suspended",
    ] {
        ensure!(history.contains(word), "no {word} in\n{history}");
    }
    let again = berth(&["rerun", "worker", "x", "0", "--new-id", "y", "-d", "[]"]).await?;
    ensure!(again.trim() == "y", "{again}");
    let json: Value =
        serde_json::from_str(&berth(&["get", "worker", "y", "--wait", "-o", "json"]).await?)?;
    ensure!(json["output"] == json!([]), "{json}");
    berth(&["purge", "worker", "y"]).await?;
    let missing = shop.host.berth(["workflow", "get", "worker", "y"])?;
    let missing = missing.run().await?;
    ensure!(missing.code == Some(2), "{missing}");
    ensure!(
        missing
            .stderr
            .contains("there is no workflow \"y\" of app \"worker\""),
        "{missing}"
    );
    Ok(())
}
