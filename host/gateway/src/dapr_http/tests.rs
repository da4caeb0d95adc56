//! Routes, and the door on a free port with backends in memory. Errors and SDKs are tested against the real binary.

use super::*;

#[test]
fn every_route_of_the_table_is_found() {
    let get = Method::GET;
    let (post, put, delete) = (Method::POST, Method::PUT, Method::DELETE);
    let (store, key, pubsub, name) = ("s", "k", "p", "n");
    for (method, path, expected) in [
        (&post, "/v1.0/state/s", Route::SaveState { store }),
        (&put, "/v1.0/state/s", Route::SaveState { store }),
        (&get, "/v1.0/state/s/k", Route::GetState { store, key }),
        (
            &delete,
            "/v1.0/state/s/k",
            Route::DeleteState { store, key },
        ),
        (
            &get,
            "/v1.0/state/s/bulk",
            Route::GetState { store, key: "bulk" },
        ),
        (&put, "/v1.0/state/s/bulk", Route::BulkGetState { store }),
        (
            &post,
            "/v1.0/state/s/transaction",
            Route::TransactState { store },
        ),
        (
            &post,
            "/v1.0-alpha1/state/s/query",
            Route::QueryState { store },
        ),
        (
            &post,
            "/v1.0/publish/p/a/b",
            Route::Publish {
                pubsub,
                topic: "a/b",
            },
        ),
        (
            &put,
            "/v1.0/publish/bulk/p/a/b",
            Route::BulkPublish {
                pubsub,
                topic: "a/b",
            },
        ),
        (
            &post,
            "/v1.0-alpha1/publish/bulk/p/t",
            Route::BulkPublish { pubsub, topic: "t" },
        ),
        (
            &post,
            "/v1.0/publish/bulk/t",
            Route::Publish {
                pubsub: "bulk",
                topic: "t",
            },
        ),
        (
            &post,
            "/v1.0/publish/p",
            Route::Publish { pubsub, topic: "" },
        ),
        (
            &post,
            "/v1.0/publish",
            Route::Publish {
                pubsub: "",
                topic: "",
            },
        ),
        (&get, "/v1.0/secrets/s/n", Route::GetSecret { store, name }),
        (
            &get,
            "/v1.0/secrets/s/bulk",
            Route::BulkGetSecrets { store },
        ),
        (&get, "/v1.0/metadata", Route::GetMetadata),
        (&put, "/v1.0/metadata/k", Route::PutMetadata { key }),
        (&get, "/v1.0/healthz", Route::Health),
        (&get, "/v1.0/healthz/outbound", Route::OutboundHealth),
    ] {
        assert_eq!(route(method, path), expected, "{method} {path}");
    }
}

#[test]
fn whatever_is_no_route_may_be_a_call_to_an_app() {
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v1.0/state/s"),
        ("PATCH", "/v1.0/state/s/k"),
        ("GET", "/v1.0/state/s/a/b"),
        ("POST", "/v1.0/state/s/query"),
        ("GET", "/v1.0/publish/p/t"),
        ("POST", "/v1.0-alpha1/publish/p/t"),
        ("POST", "/v1.0/secrets/s/n"),
        ("POST", "/v1.0/metadata"),
        ("HEAD", "/v1.0/healthz"),
        ("GET", "/v2.0/healthz"),
        ("GET", "/v1.0/invoke/a/method/b"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(route(&method, path), Route::Invoke, "{method} {path}");
    }
}

/// Nobody is called.
struct Silent;

#[async_trait::async_trait]
impl berth_blocks::Deliver for Silent {
    async fn deliver(
        &self,
        _: &Target,
        _: berth_blocks::Delivery,
    ) -> berth_blocks::DeliveryOutcome {
        berth_blocks::DeliveryOutcome::Busy
    }

    async fn deliver_batch(
        &self,
        _: &Target,
        deliveries: Vec<berth_blocks::Delivery>,
    ) -> Vec<berth_blocks::DeliveryOutcome> {
        let busy = |_| berth_blocks::DeliveryOutcome::Busy;
        deliveries.into_iter().map(busy).collect()
    }
}

fn door() -> Door {
    let blocks = Blocks::new();
    Door {
        tracer: Tracer::off(),
        deliveries: Arc::new(Deliveries::new(blocks.clone(), Arc::new(Silent))),
        blocks,
        caller: Target {
            namespace: berth_resources::Namespace::default(),
            app: "till".parse().unwrap(),
        },
        ip: IpAddr::from([127, 0, 0, 1]),
        token: None,
        body_bytes_max: 64,
        head_bytes_max: 4096,
        extended: Extended::default(),
        draining: AtomicBool::new(false),
    }
}

/// Status and body.
async fn ask(door: &Door, method: &str, path: &str, body: &'static str) -> String {
    use http_body_util::{BodyExt, Full};
    let body = Full::new(bytes::Bytes::from_static(body.as_bytes()));
    let request = Request::builder().method(method).uri(path);
    let request = request
        .body(body.map_err(|never| match never {}).boxed_unsync())
        .unwrap();
    let answer = door.handle(request, DeadlineGuard::default()).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    format!("{status} {}", String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn a_door_that_stops_is_not_ready() {
    let door = door();
    assert_eq!(ask(&door, "GET", "/v1.0/healthz", "").await, "204 ");
    assert_eq!(
        ask(&door, "GET", "/v1.0/healthz/outbound", "").await,
        "204 "
    );
    door.draining.store(true, Ordering::Relaxed);
    assert_eq!(
        ask(&door, "GET", "/v1.0/healthz", "").await,
        "500 {\"errorCode\":\"ERR_HEALTH_NOT_READY\",\"message\":\"dapr is not ready: [stopping]\"}"
    );
    assert_eq!(
        ask(&door, "GET", "/v1.0/healthz/outbound", "").await,
        "500 {\"errorCode\":\"ERR_OUTBOUND_HEALTH_NOT_READY\",\"message\":\"dapr outbound is not ready\"}"
    );
}

#[tokio::test]
async fn notes_are_bounded() {
    let door = door();
    for number in 0..256 {
        let path = format!("/v1.0/metadata/k{number}");
        assert_eq!(ask(&door, "PUT", &path, "v").await, "204 ");
    }
    assert_eq!(ask(&door, "PUT", "/v1.0/metadata/k0", "w").await, "204 ");
    assert_eq!(
        ask(&door, "PUT", "/v1.0/metadata/more", "v").await,
        "400 {\"errorCode\":\"ERR_BODY_READ\",\"message\":\"failed to read request body: 256 keys are kept already\"}"
    );
    let long = "x".repeat(65).leak();
    assert_eq!(
        ask(&door, "PUT", "/v1.0/metadata/k1", long).await,
        "400 {\"errorCode\":\"ERR_BODY_READ\",\"message\":\"failed to read request body: stream too large\"}"
    );
}
