//! What travels: bodies both ways with backpressure, trailers, headers, the deadline.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use berth_blocks::invocation::{Body, BodyError, InvokeError};
use berth_mesh::Delivery;
use bytes::Bytes;
use futures::{SinkExt, StreamExt, channel::mpsc};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::*;

type Frames = mpsc::Sender<Result<Frame<Bytes>, BodyError>>;

/// A body that is fed from outside.
fn fed() -> (Frames, Body) {
    let (send, receive) = mpsc::channel(0);
    (send, StreamBody::new(receive).boxed_unsync())
}

async fn feed(frames: &mut Frames, text: &'static str) {
    frames
        .send(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
        .await
        .unwrap();
}

async fn next(body: &mut Body) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn both_bodies_stream_at_the_same_time() {
    let fleet = Fleet::new();
    // Sends back each piece as it comes.
    let apps = Apps::new(&["inventory"], |_, request| async {
        Ok(Response::new(request.into_body()))
    });
    let host = fleet.host(&["inventory"], apps).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let (mut frames, body) = fed();
    let request = Request::post("/").body(body).unwrap();
    let (orders, inventory) = (caller("orders"), app("inventory"));
    let calling = mesh.call(&orders, &inventory, request);
    let (answer, ()) = tokio::join!(calling, feed(&mut frames, "one"));
    let mut answer = answer.unwrap().into_body();
    assert_eq!(next(&mut answer).await, "one");
    feed(&mut frames, "two").await;
    assert_eq!(next(&mut answer).await, "two");
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "7".parse().unwrap());
    frames.send(Ok(Frame::trailers(trailers))).await.unwrap();
    drop(frames);
    let end = answer.collect().await.unwrap();
    assert_eq!(end.trailers().unwrap()["checksum"], "7");
}

/// A body without end that counts what is taken of it.
fn endless(taken: Arc<AtomicUsize>) -> Body {
    let pieces = futures::stream::repeat_with(move || {
        taken.fetch_add(64 << 10, Ordering::Relaxed);
        Ok::<_, BodyError>(Frame::data(Bytes::from(vec![0; 64 << 10])))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Waits until nothing more is taken, and says how much it was.
async fn taken_in_the_end(taken: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    let mut still = 0;
    while still < 50 {
        let now = taken.load(Ordering::Relaxed);
        still = if now == before { still + 1 } else { 0 };
        before = now;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    before
}

/// Windows of both sides and buffers of the kernel: far below what a stream without backpressure would take.
const UNDER_WAY_MAX: usize = 8 << 20;

#[tokio::test]
async fn a_request_that_nobody_reads_is_not_sent_on() {
    let fleet = Fleet::new();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let apps = Apps::new(&["inventory"], move |_, request: Request<Body>| {
        keep.lock().push(request.into_body());
        async { Ok(Response::new(body("accepted"))) }
    });
    let host = fleet.host(&["inventory"], apps).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let request = Request::post("/").body(endless(taken.clone())).unwrap();
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), request)
        .await;
    assert_eq!(text(answer.unwrap()).await, "accepted");
    let first = taken_in_the_end(&taken).await;
    assert!(first < UNDER_WAY_MAX, "{first}");
    // Others on the same connection are not held up.
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    assert_eq!(text(answer.unwrap()).await, "accepted");
    // Reading makes room.
    let mut request = kept.lock().remove(0);
    let mut read = 0;
    while read <= first {
        read += next(&mut request).await.len();
    }
    assert!(taken_in_the_end(&taken).await > first);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_sent_on_and_ends_with_its_reader() {
    let fleet = Fleet::new();
    let taken = Arc::new(AtomicUsize::new(0));
    let alive = Arc::new(());
    let (count, held) = (taken.clone(), alive.clone());
    let apps = Apps::new(&["inventory"], move |_, _| {
        let (count, held) = (count.clone(), held.clone());
        let answer = endless(count).map_frame(move |frame| {
            let _held = &held;
            frame
        });
        async { Ok(Response::new(answer.boxed_unsync())) }
    });
    let host = fleet.host(&["inventory"], apps).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), get("/"))
        .await;
    let mut answer = answer.unwrap().into_body();
    let first = taken_in_the_end(&taken).await;
    assert!(first < UNDER_WAY_MAX, "{first}");
    let mut read = 0;
    while read <= first {
        read += next(&mut answer).await.len();
    }
    assert!(taken_in_the_end(&taken).await > first);
    drop(answer);
    // One is here, one is the app's own.
    until("the app's answer is dropped", || {
        Arc::strong_count(&alive) == 2
    })
    .await;
}

#[tokio::test]
async fn the_apps_own_headers_survive_and_those_of_the_connection_do_not() {
    let fleet = Fleet::new();
    let apps = Apps::new(
        &["inventory"],
        |caller: berth_blocks::Caller, request: Request<Body>| async move {
            let mut names: Vec<_> = request
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
                .collect();
            names.sort();
            let seen = format!(
                "{} {} {} trace={}",
                request.method(),
                request.uri(),
                names.join(" "),
                caller.trace.context()
            );
            let answer = Response::builder()
                .status(StatusCode::IM_A_TEAPOT)
                .header("x-answer", "1")
                .header("x-answer", "2")
                .header("connection", "x-hop")
                .header("x-hop", "1")
                .header("berth-refusal", "draining")
                .body(body(seen));
            answer.map_err(|error| InvokeError::Other(error.to_string()))
        },
    );
    let host = fleet.host(&["inventory"], apps).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let request = Request::builder()
        .method("PURGE")
        .uri("http://inventory/stock%20a?q=1%2F2")
        .header("x-own", "1")
        .header("cookie", "a=b")
        .header("te", "trailers")
        .header("keep-alive", "timeout=5")
        .header(
            "traceparent",
            "00-00000000000000000000000000000001-0000000000000001-00",
        )
        .header("tracestate", "vendor=1")
        .body(body(""));
    let answer = mesh
        .call(&caller("orders"), &app("inventory"), request.unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    let mut names: Vec<_> = answer
        .headers()
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["content-length", "date", "x-answer"]);
    assert_eq!(answer.headers().get_all("x-answer").iter().count(), 2);
    assert_eq!(
        text(answer).await,
        "PURGE /stock%20a?q=1%2F2 baggage=user=alice content-length=0 cookie=a=b host=inventory \
         traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 tracestate=vendor=1 x-own=1 \
         trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    );
}

#[tokio::test]
async fn an_error_of_the_runtime_arrives_as_it_was() {
    let errors = [
        InvokeError::NotFound("n".into()),
        InvokeError::Denied("d".into()),
        InvokeError::Invalid("i".into()),
        InvokeError::Undelivered("s".into()),
        InvokeError::Unavailable("u".into()),
        InvokeError::Timeout("t".into()),
        InvokeError::TooLarge("l".into()),
        InvokeError::Other("o".into()),
    ];
    for error in errors {
        let fleet = Fleet::new();
        let given = error.clone();
        let apps = Apps::new(&["inventory"], move |_, _| {
            let given = given.clone();
            async move { Err(given) }
        });
        let host = fleet.host(&["inventory"], apps).await;
        let mesh = fleet.mesh(&["orders"], &[host.address]).await;
        let called = mesh
            .call(&caller("orders"), &app("inventory"), get("/"))
            .await;
        let failure = called.map(drop).unwrap_err();
        assert_eq!(InvokeError::from(failure), error);
    }
}

#[tokio::test]
async fn the_deadline_holds_on_both_sides() {
    let fleet = Fleet::new();
    let seen = Arc::new(Mutex::new(None));
    let (see, alive) = (seen.clone(), Arc::new(()));
    let held = alive.clone();
    let apps = Apps::new(&["inventory"], move |caller: berth_blocks::Caller, _| {
        *see.lock() = Some(caller.deadline.saturating_duration_since(Instant::now()));
        let held = held.clone();
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    let host = fleet.host(&["inventory"], apps).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let mut orders = caller("orders");
    orders.deadline = Instant::now() + Duration::from_millis(300);
    let called = mesh.call(&orders, &app("inventory"), get("/")).await;
    let failure = called.map(drop).unwrap_err();
    assert_eq!(failure.delivery(), Delivery::Perhaps);
    assert!(matches!(
        InvokeError::from(failure),
        InvokeError::Timeout(_)
    ));
    let left = seen.lock().unwrap();
    assert!(left <= Duration::from_millis(300), "{left:?}");
    until("the app's work is dropped", || {
        Arc::strong_count(&alive) == 2
    })
    .await;
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_there_too() {
    let fleet = Fleet::new();
    let host = fleet.host(&["inventory"], Apps::echo(&["inventory"])).await;
    let mesh = fleet.mesh(&["orders"], &[host.address]).await;
    let pieces = futures::stream::iter([
        Ok(Frame::data(Bytes::from_static(b"half"))),
        Err(BodyError::from("the guest trapped")),
    ]);
    let request = Request::post("/")
        .body(StreamBody::new(pieces.chain(futures::stream::empty())).boxed_unsync())
        .unwrap();
    let called = mesh
        .call(&caller("orders"), &app("inventory"), request)
        .await;
    assert_eq!(called.map(drop).unwrap_err().delivery(), Delivery::Perhaps);
}

#[tokio::test]
async fn connect_does_not_travel() {
    let fleet = Fleet::new();
    let mesh = fleet.mesh(&["orders"], &[]).await;
    let request = Request::connect("inventory:80").body(body("")).unwrap();
    let called = mesh
        .call(&caller("orders"), &app("inventory"), request)
        .await;
    assert!(matches!(
        InvokeError::from(called.map(drop).unwrap_err()),
        InvokeError::Invalid(_)
    ));
}
