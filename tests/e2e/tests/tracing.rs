//! One order is one tree of spans, whoever collects them.

mod common;

use anyhow::Result;
use berth_e2e::{Answer, Client, Folder, Host, eventually, order, shop, timely};
use berth_servers::{Collector, RecordedSpan, forest, free_port};
use common::{Village, publish};
use reqwest::Method;
use serde_json::json;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A Configuration with this below `tracing`.
fn configuration(tracing: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: traced }}\nspec:\n  tracing:\n{tracing}"
    )
}

/// The same in a file of its own, for `--config`.
fn config_file(tracing: &str) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, configuration(tracing))?;
    Ok((folder, path))
}

async fn start_shop(config: &Path) -> Result<Host> {
    Host::builder()
        .source(shop()?)
        .arg("--config")
        .arg(config)
        .start()
        .await
}

/// Fills the stock, then places an order of a client that has a trace.
async fn place(shop: &Client, id: &str) -> Result<()> {
    let stocked = shop.put("/inventory/tea", &json!({ "qty": 10 })).await?;
    assert_eq!(stocked.status, 200, "{stocked}");
    let request = shop
        .request(Method::POST, "/orders")
        .header("traceparent", format!("00-{TRACE_ID}-{CALLER}-01"))
        .json(&order(id, "ada", "tea", 1));
    let placed = Answer::to(request).await?;
    assert_eq!(placed.status, 201, "{placed}");
    Ok(())
}

/// The spans of the client's trace, once there is one that `last` accepts and all parents are there.
async fn traced(
    collector: &Collector,
    last: impl Fn(&RecordedSpan) -> bool,
) -> Result<Vec<RecordedSpan>> {
    eventually("the spans of the order", timely(), async || {
        let mut spans = collector.spans();
        spans.retain(|span| span.trace_id == TRACE_ID);
        let is_known =
            |parent: &str| parent == CALLER || spans.iter().any(|span| span.span_id == parent);
        let is_whole = spans
            .iter()
            .all(|span| span.parent_id.as_deref().is_some_and(is_known));
        if is_whole && spans.iter().any(&last) {
            Ok(spans)
        } else {
            Err(forest(&spans))
        }
    })
    .await
}

/// The delivery ends after all that it leads to: with it everything was sent.
fn is_delivery(span: &RecordedSpan) -> bool {
    span.name.starts_with("pubsub.deliver")
}

/// What an order does: the request, the call of inventory-service within the host, the message, and its delivery.
const ORDER: &str = "\
order-service server POST
  order-service client invocation.invoke apps
    inventory-service server POST
      inventory-service client state.bulk_get statestore
      inventory-service client state.get statestore
      inventory-service client state.transact statestore
  order-service client secrets.get secretstore
  order-service client state.get statestore
  order-service client state.set statestore
  order-service client state.set statestore
  order-service producer pubsub.publish pubsub
    notification-service consumer pubsub.deliver orders
      notification-service client state.get statestore
      notification-service client state.set statestore
";

#[tokio::test]
async fn an_order_is_one_tree_in_zipkin() -> Result<()> {
    let zipkin = Collector::start().await;
    let (_folder, config) = config_file(&format!(
        "    samplingRate: \"1\"\n    zipkin: {{ endpointAddress: \"http://127.0.0.1:{}/api/v2/spans\" }}\n",
        zipkin.port()
    ))?;
    let host = start_shop(&config).await?;
    place(host.client(), "zipkin-1").await?;
    let spans = traced(&zipkin, is_delivery).await?;
    assert_eq!(forest(&spans), ORDER);
    let request = spans
        .iter()
        .find(|span| span.parent_id.as_deref() == Some(CALLER));
    let attributes = &request.expect("the request").attributes;
    assert_eq!(attributes["http.response.status_code"], "201");
    assert_eq!(attributes["url.path"], "/orders");
    Ok(())
}

#[tokio::test]
async fn an_order_is_the_same_tree_over_otlp() -> Result<()> {
    for protocol in ["http", "grpc"] {
        let collector = Collector::start().await;
        let (_folder, config) = config_file(&format!(
            "    samplingRate: \"1\"\n    otel:\n      protocol: {protocol}\n      isSecure: false\n      \
             endpointAddress: \"127.0.0.1:{}\"\n      headers: \"x-key=s3cret\"\n",
            collector.port()
        ))?;
        let host = start_shop(&config).await?;
        place(host.client(), protocol).await?;
        let spans = traced(&collector, is_delivery).await?;
        assert_eq!(forest(&spans), ORDER, "{protocol}");
        let headers = collector.headers();
        assert!(headers.iter().all(|headers| headers["x-key"] == "s3cret"));
        assert!(!host.said().contains("s3cret"));
    }
    Ok(())
}

/// What the order is if inventory-service runs on another host, and nobody hears the message.
const ORDER_OF_TWO_HOSTS: &str = "\
order-service server POST
  order-service client invocation.invoke apps
    order-service client invocation.attempt
      inventory-service server POST
        inventory-service client state.bulk_get statestore
        inventory-service client state.get statestore
        inventory-service client state.transact statestore
  order-service client secrets.get secretstore
  order-service client state.get statestore
  order-service client state.set statestore
  order-service client state.set statestore
  order-service producer pubsub.publish pubsub
";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_tree_across_two_hosts() -> Result<()> {
    let collector = Collector::start().await;
    let (_configuration, config) = config_file(&format!(
        "    samplingRate: \"1\"\n    zipkin: {{ endpointAddress: \"http://127.0.0.1:{}/api/v2/spans\" }}\n",
        collector.port()
    ))?;
    let user = tempfile::tempdir()?;
    let start = async |app: &str, path: &str| {
        let folder = Folder::new()?;
        let guest = shop()?.join(format!("apps/{app}.wasm"));
        folder.app(app, &guest, &format!("  http: {{ paths: [{path}] }}"))?;
        let secrets = shop()?.join("secrets.json");
        folder.write(
            "secretstore.yaml",
            format!(
                "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: secretstore }}\nspec:\n  type: \
                 secretstores.local.file\n  version: v1\n  metadata:\n    - {{ name: secretsFile, value: \"{}\" }}\n",
                secrets.display()
            ),
        )?;
        let host = Host::builder()
            .source(folder.path())
            .arg("--user-dir")
            .arg(user.path())
            .arg("--config")
            .arg(&config);
        anyhow::Ok((host.start().await?, folder))
    };
    let (inventory, _there) = start("inventory-service", "/inventory").await?;
    let (orders, _here) = start("order-service", "/orders").await?;
    let stocked = inventory
        .client()
        .put("/inventory/tea", &json!({ "qty": 10 }))
        .await?;
    assert_eq!(stocked.status, 200, "{stocked}");
    let door = orders.dapr("order-service")?;
    door.get_until(
        "/v1.0/invoke/inventory-service/method/inventory/tea",
        |answer| answer.status == 200,
    )
    .await?;
    let request = orders
        .client()
        .request(Method::POST, "/orders")
        .header("traceparent", format!("00-{TRACE_ID}-{CALLER}-01"))
        .json(&order("far-1", "ada", "tea", 1));
    let placed = Answer::to(request).await?;
    assert_eq!(placed.status, 201, "{placed}");
    eventually("the spans of both hosts", timely(), async || {
        let mut spans = collector.spans();
        spans.retain(|span| span.trace_id == TRACE_ID);
        match forest(&spans) {
            tree if tree == ORDER_OF_TWO_HOSTS => Ok(()),
            tree => Err(tree),
        }
    })
    .await
}

#[tokio::test]
async fn an_order_reaches_azure_monitor() -> Result<()> {
    let collector = Collector::start().await;
    let (_folder, config) = config_file(&format!(
        "    samplingRate: \"1\"\n    azureMonitor:\n      connectionString: \
         \"InstrumentationKey=11-22;IngestionEndpoint=http://127.0.0.1:{}/\"\n",
        collector.port()
    ))?;
    let host = start_shop(&config).await?;
    place(host.client(), "azure-1").await?;
    let spans = traced(&collector, |span| span.service.contains("notification")).await?;
    let of = |service: &str| spans.iter().filter(|span| span.service == service).count();
    assert!(of("default.order-service") > 0 && of("default.inventory-service") > 0);
    assert!(spans.iter().all(|span| span.attributes["iKey"] == "11-22"));
    assert!(!host.said().contains("11-22"));
    Ok(())
}

/// Keys of collectors need not stand in documents.
#[tokio::test]
async fn keys_of_collectors_come_from_secret_stores() -> Result<()> {
    let (otel, azure) = (Collector::start().await, Collector::start().await);
    let (_folder, config) = config_file(&format!(
        "    samplingRate: \"1\"\n    otel:\n      protocol: http\n      isSecure: false\n      endpointAddress: \
         \"127.0.0.1:{}\"\n      headers:\n        - {{ name: x-key, secretKeyRef: {{ name: collector, key: key }} }}\n    \
         azureMonitor:\n      connectionString: {{ secretKeyRef: {{ name: azure, key: connection }} }}\n",
        otel.port()
    ))?;
    let village = Village::new()?;
    village.app("probe", "probe", "[/]", "")?;
    let connection = format!(
        "InstrumentationKey=11-22;IngestionEndpoint=http://127.0.0.1:{}/",
        azure.port()
    );
    let secrets = json!({"collector": {"key": "s3cret"}, "azure": {"connection": connection}});
    let file = village.folder.write("secrets.json", secrets.to_string())?;
    let file = file.display().to_string();
    let metadata = [("secretsFile", &*file), ("multiValued", "true")];
    village.component("vault", "secretstores.local.file", &metadata)?;
    let host = village.host().arg("--config").arg(&config).start().await?;
    host.client().get("/span").await?;
    eventually("both have spans", timely(), async || {
        match (otel.spans().is_empty(), azure.spans().is_empty()) {
            (false, false) => Ok(()),
            neither => Err(format!("{neither:?}")),
        }
    })
    .await?;
    let headers = otel.headers();
    assert!(headers.iter().all(|headers| headers["x-key"] == "s3cret"));
    assert!(
        azure
            .spans()
            .iter()
            .all(|span| span.attributes["iKey"] == "11-22")
    );
    assert!(!host.said().contains("s3cret") && !host.said().contains("11-22"));
    Ok(())
}

#[tokio::test]
async fn a_redelivery_stands_beside_the_first_delivery() -> Result<()> {
    let collector = Collector::start().await;
    let village = Village::new()?;
    let spec = "  http: { paths: [/] }\n  configuration: traced";
    village
        .folder
        .app("probe", &berth_e2e::guest("probe")?, spec)?;
    village.subscription("probe", "work")?;
    let retries = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: { name: retries }\nspec:\n  policies:\n    \
                   retries:\n      soon: { policy: constant, duration: 10ms, maxRetries: 2 }\n  targets:\n    \
                   components:\n      pubsub: { inbound: { retry: soon } }\n";
    village.folder.write("resiliency.yaml", retries)?;
    let tracing = format!(
        "    samplingRate: \"1\"\n    zipkin: {{ endpointAddress: \"http://127.0.0.1:{}/api/v2/spans\" }}\n",
        collector.port()
    );
    village
        .folder
        .write("traced.yaml", configuration(&tracing))?;
    let host = village.start().await?;
    publish(&host, "probe", "work", "again", "retry").await?;
    let expected = "\
probe producer pubsub.publish pubsub
  probe consumer pubsub.deliver work !
  probe consumer pubsub.deliver work !
  probe consumer pubsub.deliver work !
  probe producer pubsub.dead_letter pubsub
";
    eventually(
        "three deliveries and a dead letter",
        timely(),
        async || match forest(&collector.spans()) {
            tree if tree == expected => Ok(()),
            tree => Err(tree),
        },
    )
    .await
}

#[tokio::test]
async fn a_guest_adds_spans_of_its_own() -> Result<()> {
    let collector = Collector::start().await;
    let village = Village::new()?;
    let spec = "  http: { paths: [/] }\n  configuration: traced";
    village
        .folder
        .app("probe", &berth_e2e::guest("probe")?, spec)?;
    let tracing = format!(
        "    samplingRate: \"1\"\n    otel: {{ protocol: http, isSecure: false, endpointAddress: \"127.0.0.1:{}\" }}\n",
        collector.port()
    );
    village
        .folder
        .write("traced.yaml", configuration(&tracing))?;
    let host = village.start().await?;
    let answer = host.client().get("/span").await?.text();
    let expected = "\
probe server GET
  probe client state.get statestore
  probe internal pack
    probe client state.get statestore
";
    let spans = eventually(
        "the spans of the guest",
        timely(),
        async || match collector.spans() {
            spans if forest(&spans) == expected => Ok(spans),
            spans => Err(forest(&spans)),
        },
    )
    .await?;
    let named = |name: &str| spans.iter().find(|span| span.name == name).expect("a span");
    let (pack, request) = (named("pack"), named("GET"));
    assert_eq!(
        (&*pack.attributes["parcels"], &*pack.attributes["fragile"]),
        ("2", "true")
    );
    assert_eq!(pack.events, ["sealed"]);
    assert_eq!(request.attributes["customer"], "ada");
    assert_eq!(request.events, ["packed"]);
    let contexts = [pack, request].map(|span| format!("00-{}-{}-01", span.trace_id, span.span_id));
    assert_eq!(answer, contexts.join(" "));
    Ok(())
}

#[tokio::test]
async fn a_changed_rate_counts_from_the_next_request() -> Result<()> {
    let collector = Collector::start().await;
    let village = Village::new()?;
    let spec = "  http: { paths: [/] }\n  configuration: traced";
    village
        .folder
        .app("probe", &berth_e2e::guest("probe")?, spec)?;
    let tracing = |rate: &str| {
        configuration(&format!(
            "    samplingRate: \"{rate}\"\n    zipkin: {{ endpointAddress: \"http://127.0.0.1:{}/api/v2/spans\" }}\n",
            collector.port()
        ))
    };
    village.folder.write("traced.yaml", tracing("0"))?;
    let host = village.start().await?;
    let unsampled = host.client().get("/span").await?.text();
    assert!(unsampled.ends_with("-00"), "{unsampled}");
    village.folder.write("traced.yaml", tracing("1"))?;
    eventually("a request is recorded", timely(), async || {
        let answer = host.client().get("/span").await;
        match answer.map(|answer| answer.text()) {
            Ok(text) if text.ends_with("-01") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    eventually("its spans arrive", timely(), async || {
        match collector.spans() {
            spans if spans.is_empty() => Err("none yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await
}

#[tokio::test]
async fn a_collector_that_is_down_costs_spans_and_no_request() -> Result<()> {
    let port = free_port();
    let (_folder, config) = config_file(&format!(
        "    samplingRate: \"1\"\n    zipkin: {{ endpointAddress: \"http://127.0.0.1:{port}/api/v2/spans\" }}\n",
    ))?;
    let host = start_shop(&config).await?;
    place(host.client(), "unseen-1").await?;
    host.logged("that spans are not taken", |record| {
        record.message().starts_with("spans are not taken")
            && record.get("address") == format!("http://127.0.0.1:{port}")
    })
    .await?;
    place(host.client(), "unseen-2").await?;
    eventually("lost spans are counted", timely(), async || {
        let lost = host
            .metric("berth_spans_dropped_total", &["reason=\"collector\""])
            .await;
        match lost {
            Ok(lost) if lost > 0.0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    let told = host.log().into_iter();
    let told = told.filter(|record| record.message().starts_with("spans are not taken"));
    assert_eq!(told.count(), 1);
    Ok(())
}

#[tokio::test]
async fn what_is_queued_goes_out_when_the_host_stops() -> Result<()> {
    let collector = Collector::start().await;
    let (_folder, config) = config_file(&format!(
        "    samplingRate: \"1\"\n    stdout: true\n    zipkin: {{ endpointAddress: \"http://127.0.0.1:{}/api/v2/spans\" }}\n",
        collector.port()
    ))?;
    let mut host = start_shop(&config).await?;
    place(host.client(), "last-1").await?;
    host.terminate().await?;
    let spans = collector.spans();
    assert!(
        spans.iter().any(|span| span.trace_id == TRACE_ID),
        "{}",
        forest(&spans)
    );
    assert!(
        host.said()
            .contains(&format!("\"trace_id\":\"{TRACE_ID}\""))
    );
    Ok(())
}

#[tokio::test]
async fn a_log_level_changes_for_one_app() -> Result<()> {
    let village = Village::new()?;
    village.app("one", "hostile", "[/one]", "")?;
    village.app("other", "hostile", "[/other]", "")?;
    let host = village.start().await?;
    let set = host.berth(["log-level", "one", "error", "--output", "json"])?;
    let levels = set.run().await?.json();
    let expected = json!({
        "level": "info",
        "apps": [{ "namespace": "default", "appId": "one", "level": "error" }],
    });
    assert_eq!(levels, expected);
    for app in ["one", "other"] {
        let path = format!("/invoke/{app}/log?n=1");
        let answer = host.admin().get(&path).await?;
        assert_eq!(answer.text(), "logged");
    }
    host.logged("the other app's line", |record| {
        record.get("app") == "other" && record.message() == "err 1"
    })
    .await?;
    let of_one = host
        .log()
        .into_iter()
        .filter(|record| record.get("app") == "one" && record.get("scope") == "guest");
    assert_eq!(of_one.count(), 0);
    let refused = host.berth(["log-level", "nobody", "debug"])?.run().await?;
    assert!(refused.stderr.contains("no app `nobody`"), "{refused:?}");
    Ok(())
}
