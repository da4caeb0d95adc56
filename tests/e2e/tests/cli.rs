//! The commands, against a running shop.

mod common;

use anyhow::{Context, Result};
use berth_e2e::{
    Finished, Host, berth, eventually, fixtures, guest, order, shop, start_shop, timely,
};
use common::{Village, in_flight, publish};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt};

async fn run(host: &Host, arguments: &[&str]) -> Result<Finished> {
    host.berth(arguments)?.run().await
}

fn assert_done(finished: &Finished) {
    assert_eq!(finished.code, Some(0), "{finished}");
}

#[tokio::test]
async fn check_is_content_with_the_shop() -> Result<()> {
    let checked = berth(["check"])?.arg(shop()?).run().await?;
    assert_done(&checked);
    assert!(checked.text().contains("fine"), "{checked}");
    assert!(checked.text().contains("5 apps"), "{checked}");
    Ok(())
}

#[tokio::test]
async fn check_reports_of_daprs_documents_what_is_not_served_and_nothing_else() -> Result<()> {
    let checked = berth(["check", "--output", "json"])?
        .arg(fixtures().join("dapr"))
        .run()
        .await?;
    let findings = checked.json()["findings"].as_array().cloned();
    let findings = findings.with_context(|| checked.to_string())?;
    let (mut places, mut messages) = (Vec::new(), String::new());
    for finding in &findings {
        let file = finding["origin"]["file"].as_str().unwrap_or_default();
        let file = file.rsplit('/').next().unwrap_or_default();
        let severity = finding["severity"].as_str().unwrap_or_default();
        places.push(format!("{file}:{} {severity}", finding["origin"]["line"]));
        messages += finding["message"].as_str().unwrap_or_default();
        messages += "\n";
    }
    // Types that this build does not serve, the secrets that are missing, the old name.
    let expected = [
        "local.yaml:33 error",
        "production.yaml:7 error",
        "production.yaml:10 error",
        "production.yaml:14 error",
        "resiliency.yaml:19 warning",
        "resiliency.yaml:21 warning",
    ];
    assert_eq!(places, expected, "{messages}");
    let texts = [
        "`state.azure.cosmosdb`",
        "components/secrets.json",
        "secret `cosmos-secret`",
        "`spec.targets.services` is an old name",
    ];
    for text in texts {
        assert!(messages.contains(text), "no {text} in {messages}");
    }
    // Each type comes with those that are served, each once.
    let hints = findings
        .iter()
        .filter_map(|finding| finding["hint"].as_str());
    let served: Vec<_> = hints.filter(|hint| hint.contains("serves")).collect();
    let all = "pubsub.in-memory, pubsub.kafka, pubsub.rabbitmq, pubsub.redis, pubsub.sqlite, \
               secretstores.local.env, secretstores.local.file, state.in-memory, state.postgres, \
               state.postgresql, state.redis, state.sqlite";
    assert_eq!(served.len(), 1, "{served:?}");
    assert!(served.iter().all(|hint| hint.ends_with(all)), "{served:?}");
    assert_eq!(checked.code, Some(2), "{checked}");
    Ok(())
}

#[tokio::test]
async fn apps_and_components_show_what_runs_and_how_it_is() -> Result<()> {
    let host = start_shop().await?;
    host.client().get("/inventory/tea").await?;
    let apps = run(&host, &["apps", "--output", "json"]).await?;
    assert_done(&apps);
    let apps = apps.json();
    let names: Vec<_> = apps
        .as_array()
        .into_iter()
        .flatten()
        .map(|app| app["appId"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "audit-service",
            "inventory-service",
            "notification-service",
            "order-saga",
            "order-service"
        ]
    );
    assert_eq!(apps[1]["routes"], json!(["/inventory"]), "{apps}");
    assert_eq!(
        (&apps[1]["calls"], &apps[1]["failures"]),
        (&json!(1), &json!(0)),
        "{apps}"
    );
    assert_eq!(
        apps[2]["exports"],
        json!(["http", "subscriber", "subscriptions"]),
        "{apps}"
    );

    let components = run(&host, &["components", "--output", "json"]).await?;
    assert_done(&components);
    let components = components.json();
    let shown: Vec<_> = components
        .as_array()
        .into_iter()
        .flatten()
        .map(|component| {
            ["name", "type", "status"].map(|name| component[name].as_str().unwrap_or_default())
        })
        .collect();
    let expected = [
        ["pubsub", "pubsub.sqlite", "healthy"],
        ["secretstore", "secretstores.local.file", "healthy"],
        ["statestore", "state.sqlite", "healthy"],
    ];
    assert_eq!(shown, expected);

    for command in ["apps", "components", "topics"] {
        let table = run(&host, &[command]).await?;
        assert_done(&table);
        assert!(table.stdout.starts_with("NAMESPACE"), "{table}");
    }
    Ok(())
}

#[tokio::test]
async fn a_method_can_be_invoked() -> Result<()> {
    let host = start_shop().await?;
    let put = [
        "invoke",
        "--app-id",
        "inventory-service",
        "--method",
        "inventory/tea",
        "--verb",
        "PUT",
        "--data",
        r#"{"qty":3}"#,
    ];
    let put = run(&host, &put).await?;
    assert_done(&put);
    assert_eq!(put.json(), json!({ "sku": "tea", "qty": 3 }), "{put}");
    let get = run(
        &host,
        &[
            "invoke",
            "-a",
            "inventory-service",
            "-m",
            "inventory/tea",
            "-v",
            "GET",
        ],
    )
    .await?;
    assert_eq!(get.json(), json!({ "sku": "tea", "qty": 3 }), "{get}");
    let unknown = run(&host, &["invoke", "-a", "no-such-app", "-m", "x"]).await?;
    assert_ne!(unknown.code, Some(0), "{unknown}");
    assert!(unknown.stderr.contains("no-such-app"), "{unknown}");
    let refused = run(
        &host,
        &["invoke", "-a", "inventory-service", "-m", "no-such-method"],
    )
    .await?;
    assert_ne!(refused.code, Some(0), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_can_be_listed_read_and_sent_again() -> Result<()> {
    let host = start_shop().await?;
    // The audit empties the shop's dead-letter topic; a message on a topic that nobody reads stays where it is.
    let bad = order("bad", "poison", "tea", 1).to_string();
    let publish = [
        "publish",
        "--publish-app-id",
        "order-service",
        "--pubsub",
        "pubsub",
        "--topic",
        "orders",
        "--data",
        &bad,
    ];
    assert_done(&run(&host, &publish).await?);
    host.client()
        .get_until("/audit", |answer| answer.text().contains("bad"))
        .await?;

    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    village.subscription("hostile", "work")?;
    let host = village.start().await?;
    let arguments = [
        "publish", "-i", "hostile", "-p", "pubsub", "-t", "work", "--data", "crash",
    ];
    let published = run(
        &host,
        &[
            &arguments[..],
            &["--metadata", r#"{"cloudevent.id":"broken"}"#],
        ]
        .concat(),
    )
    .await?;
    assert_done(&published);
    let letter = eventually("the dead letter is listed", timely(), async || {
        let listed = run(&host, &["dlq", "list", "--output", "json"])
            .await
            .map_err(|error| format!("{error:#}"))?;
        let letter = &listed.json()[0]["messages"][0];
        if letter.is_null() {
            Err(listed.to_string())
        } else {
            Ok(letter.clone())
        }
    })
    .await?;
    assert_eq!(letter["metadata"]["deadLetterApp"], "hostile", "{letter}");
    let id = letter["id"].as_str().context("a dead letter has an ID")?;
    let topic = ["--pubsub", "pubsub", "--topic", "work-dlq"];

    let table = run(&host, &["dlq", "list"]).await?;
    assert_done(&table);
    for text in [id, "work-dlq", "hostile", "trap"] {
        assert!(table.stdout.contains(text), "{table}");
    }
    let shown = run(
        &host,
        &[&["dlq", "show", id, "--output", "json"], &topic[..]].concat(),
    )
    .await?;
    assert_done(&shown);
    let data: Value = serde_json::from_str(shown.json()["data"].as_str().unwrap_or_default())?;
    assert_eq!(
        (&data["id"], &data["data"]),
        (&json!("broken"), &json!("crash")),
        "{shown}"
    );

    let depths = run(&host, &["topics", "--output", "json"]).await?;
    let waiting = |topic: &str| {
        let topics = depths.json()["topics"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        topics
            .iter()
            .find(|depth| depth["topic"] == topic)
            .map(|depth| depth["waiting"].clone())
    };
    assert_eq!(waiting("work-dlq"), Some(json!(1)), "{depths}");

    let sent = run(&host, &[&["dlq", "resend", id], &topic[..]].concat()).await?;
    assert_done(&sent);
    assert!(sent.stdout.contains("work"), "{sent}");
    // It crashes its handler again, and is a new dead letter.
    let labels = ["app=\"hostile\"", "reason=\"trap\""];
    eventually("it was delivered again", timely(), async || {
        match host.metric("berth_guest_failures_total", &labels).await {
            Ok(2.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    eventually("it is a dead letter again", timely(), async || {
        let deleted = run(&host, &[&["dlq", "delete", "--all"], &topic[..]].concat()).await;
        let deleted = deleted.map_err(|error| format!("{error:#}"))?;
        if deleted.stdout.contains("deleted") {
            Ok(())
        } else {
            Err(deleted.to_string())
        }
    })
    .await?;
    let empty = run(&host, &["dlq", "list"]).await?;
    assert!(empty.stdout.contains("no dead letters"), "{empty}");
    Ok(())
}

#[tokio::test]
async fn commands_without_a_host_say_how_to_start_one() -> Result<()> {
    let village = Village::new()?;
    for command in ["apps", "components", "topics"] {
        let finished = berth([command, "--data-dir"])?
            .arg(village.folder.path())
            .run()
            .await?;
        assert_eq!(finished.code, Some(1), "{finished}");
        assert!(
            finished.stderr.contains("no host is running") && finished.stderr.contains("berth run"),
            "{finished}"
        );
    }
    let mut host = Host::run(guest("hello")?).await?;
    host.kill9().await?;
    let stale = run(&host, &["apps"]).await?;
    assert_eq!(stale.code, Some(1), "{stale}");
    assert!(stale.stderr.contains("no host is running"), "{stale}");
    Ok(())
}

#[tokio::test]
async fn the_file_of_the_host_is_private_and_its_api_wants_the_token() -> Result<()> {
    let mut host = Host::run(guest("hello")?).await?;
    let file = host.data_dir().join("host.json");
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    let admin = host.admin().address();
    for path in ["apps", "components", "invoke/hello/x", "depths"] {
        let answer = reqwest::get(format!("http://{admin}/{path}")).await?;
        assert_eq!(answer.status().as_u16(), 401, "{path}");
    }
    for path in ["healthz", "metrics"] {
        assert!(
            reqwest::get(format!("http://{admin}/{path}"))
                .await?
                .status()
                .is_success(),
            "{path}"
        );
    }
    let client = reqwest::Client::new();
    let rebound = client
        .get(format!("http://{admin}/metrics"))
        .header("host", "evil.example")
        .send()
        .await?;
    assert_eq!(rebound.status().as_u16(), 403);
    host.terminate().await?;
    assert!(!file.exists());
    Ok(())
}

#[tokio::test]
async fn a_host_says_what_runs_where_for_people_and_for_programs() -> Result<()> {
    let host = start_shop().await?;
    let ready: Value = host
        .said()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["status"] == "ready")
        .context("no line says that the host is ready")?;
    assert_eq!(ready["http"], format!("http://{}", host.client().address()));
    assert_eq!(ready["apps"].as_array().map(Vec::len), Some(5), "{ready}");
    assert_eq!(
        ready["subscriptions"].as_array().map(Vec::len),
        Some(3),
        "{ready}"
    );

    let host = Host::builder().source(shop()?).text_log().start().await?;
    let said = host.said();
    for text in [
        "order-service",
        "/orders /carts",
        "state.sqlite (embedded)",
        "orders-dlq",
        "ready in",
        "Ctrl-C stops",
    ] {
        assert!(said.contains(text), "no `{text}` in\n{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_asked_to_stop_finishes_what_it_began() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "timeout: 30s")?;
    let host = village.host().arg("--drain-timeout").arg("30s");
    let mut host = host.start().await?;
    let client = host.client().clone();
    let slow = tokio::spawn(async move { client.get("/sleep?ms=4000").await });
    eventually("the call runs", timely(), async || {
        in_flight(&host, "hostile", 1).await
    })
    .await?;
    host.ask_to_stop()?;
    eventually(
        "new connections are refused",
        timely(),
        async || match berth_e2e::Wire::connect(host.client().address()).await {
            Err(_) => Ok(()),
            Ok(_) => Err("one was accepted".to_owned()),
        },
    )
    .await?;
    let answer = slow.await??;
    assert_eq!((answer.status, answer.text()), (200, "slept".to_owned()));
    let status = host.ended().await?;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_under_way_when_the_host_stops_comes_again() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "timeout: 60s")?;
    village.subscription("hostile", "work")?;
    let mut host = village
        .host()
        .arg("--drain-timeout")
        .arg("1s")
        .start()
        .await?;
    publish(&host, "hostile", "work", "long", "slow:6000").await?;
    publish(&host, "hostile", "work", "short", "slow:10").await?;
    host.logged("the short one is handled", |record| {
        record.message() == "handled short"
    })
    .await?;
    let status = host.terminate().await?;
    assert!(status.success(), "{status}");
    assert!(
        !host
            .log()
            .iter()
            .any(|record| record.message() == "handled long")
    );
    host.restart().await?;
    host.logged("the long one is handled", |record| {
        record.message() == "handled long"
    })
    .await?;
    assert!(
        !host
            .log()
            .iter()
            .any(|record| record.message() == "handled short")
    );
    Ok(())
}

#[tokio::test]
async fn a_guest_alone_takes_its_app_id_and_namespace_from_the_command_line() -> Result<()> {
    let host = Host::builder().source(guest("hello")?);
    let host = host
        .arg("--app-id")
        .arg("greeter")
        .arg("--namespace")
        .arg("shop")
        .start()
        .await?;
    assert_eq!(host.client().get("/").await?.text(), "Hello, world!\n");
    let apps = run(&host, &["apps", "--output", "json"]).await?.json();
    assert_eq!(
        (&apps[0]["appId"], &apps[0]["namespace"]),
        (&json!("greeter"), &json!("shop")),
        "{apps}"
    );
    let invoked = run(&host, &["invoke", "-a", "greeter", "-m", "any"]).await?;
    assert!(invoked.stdout.contains("Hello, world!"), "{invoked}");
    Ok(())
}

#[tokio::test]
async fn resources_given_by_flag_replace_those_of_the_same_name() -> Result<()> {
    for flag in ["--resources-path", "--components-path"] {
        let host = Host::builder()
            .source(shop()?)
            .arg(flag)
            .arg("components/in-memory")
            .start()
            .await?;
        let components = run(&host, &["components", "--output", "json"])
            .await?
            .json();
        let kinds: Vec<_> = components
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| one["type"].clone())
            .collect();
        assert_eq!(
            kinds,
            [
                "pubsub.in-memory",
                "secretstores.local.file",
                "state.in-memory"
            ]
        );
        let client = host.client();
        client.put("/inventory/tea", &json!({ "qty": 5 })).await?;
        assert_eq!(
            client
                .post("/orders", &order("one", "ada", "tea", 2))
                .await?
                .status,
            201
        );
        client
            .get_until("/notifications/one", |answer| answer.json()["sent"] == 1)
            .await?;
    }
    Ok(())
}
