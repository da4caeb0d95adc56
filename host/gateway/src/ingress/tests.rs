//! The real ingress on a free port, spoken to over plain sockets, with a stand-in for the runtime.

use super::*;
use berth_blocks::invocation::{Body, Target};
use berth_resources::Namespace;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

/// Answers with what it got; `/wait` holds the answer until a permit is given.
struct Echo {
    waiting: AtomicUsize,
    release: Semaphore,
}

impl Answer for Echo {
    async fn answer(&self, target: &Target, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if path == "/wait" {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.release.acquire().await.unwrap().forget();
        }
        if path == "/early" {
            let body = Full::default().map_err(|never| match never {});
            return Response::new(body.boxed_unsync());
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let text = format!("{} {path} body={}", target.app, body.len());
        let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
        Response::new(body.boxed_unsync())
    }
}

fn one_app(name: &str) -> RouteTable {
    let target = Target {
        namespace: Namespace::default(),
        app: name.parse().unwrap(),
    };
    let app = ExposedApp {
        target,
        http: None,
        private_paths: vec!["/on-order".to_owned()],
    };
    RouteTable::new(vec![app]).unwrap()
}

fn start(options: IngressOptions) -> (ServingIngress, Arc<Echo>) {
    let echo = Arc::new(Echo {
        waiting: AtomicUsize::new(0),
        release: Semaphore::new(0),
    });
    let ingress = Ingress::bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
    let serving = ingress.serve(echo.clone(), one_app("echo")).unwrap();
    (serving, echo)
}

async fn send(ingress: &ServingIngress, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(ingress.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Status line and body of the answer, read to the end of the connection.
async fn read(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let reading = stream.read_to_string(&mut text);
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .expect("the server closes the connection")
        .unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    format!("{} | {body}", head.lines().next().unwrap_or_default())
}

async fn transcript(ingress: &ServingIngress, request: &str) -> String {
    read(send(ingress, request).await).await
}

#[tokio::test]
async fn a_request_reaches_its_app() {
    let (ingress, _) = start(IngressOptions::default());
    let request =
        "POST /orders HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(
        transcript(&ingress, request).await,
        "HTTP/1.1 200 OK | echo /orders body=3"
    );
}

#[tokio::test]
async fn the_ingress_names_nothing_when_it_refuses() {
    let (ingress, _) = start(IngressOptions::default());
    let request = "GET /on-order HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(
        transcript(&ingress, request).await,
        "HTTP/1.1 404 Not Found | \
         {\"errorCode\":\"ERR_NO_ROUTE\",\"message\":\"nothing is served at this address\"}"
    );
    let request = "GET / HTTP/1.1\r\nconnection: close\r\n\r\n";
    assert_eq!(
        transcript(&ingress, request).await,
        "HTTP/1.1 400 Bad Request | {\"errorCode\":\"ERR_BAD_REQUEST\",\"message\":\
         \"an HTTP/1.1 request needs exactly one Host header\"}"
    );
}

#[tokio::test]
async fn a_head_over_the_limit_is_answered_with_431() {
    let options = IngressOptions {
        head_bytes_max: 16 << 10,
        ..IngressOptions::default()
    };
    let (ingress, _) = start(options);
    let long = "x".repeat(20 << 10);
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n");
    let answer = transcript(&ingress, &request).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

/// The head of the answer to a request that may not be whole.
async fn head(ingress: &ServingIngress, request: &str) -> String {
    let mut stream = send(ingress, request).await;
    let mut buffer = [0; 1024];
    let size = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..size]).into_owned()
}

#[tokio::test]
async fn an_answer_before_the_end_of_its_request_says_that_the_connection_ends() {
    let (ingress, _) = start(IngressOptions::default());
    for path in ["/early", "/on-order"] {
        let cut = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc");
        let head = head(&ingress, &cut).await;
        assert!(head.contains("connection: close"), "{path}: {head}");
    }
    let whole = "POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    assert!(!head(&ingress, whole).await.contains("connection: close"));
}

#[tokio::test]
async fn a_drain_finishes_what_is_under_way_and_accepts_nothing_new() {
    let (ingress, echo) = start(IngressOptions::default());
    let address = ingress.address();
    let under_way = send(&ingress, "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let idle = send(&ingress, "").await;
    while echo.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let draining = tokio::spawn(ingress.drain(Duration::from_secs(20)));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    echo.release.add_permits(1);
    assert_eq!(read(under_way).await, "HTTP/1.1 200 OK | echo /wait body=0");
    assert_eq!(draining.await.unwrap(), 0);
    assert_eq!(read(idle).await, " | ");
}

#[tokio::test]
async fn a_drain_cuts_what_outlives_its_limit() {
    let (ingress, echo) = start(IngressOptions::default());
    let stuck = send(&ingress, "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    while echo.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ingress.drain(Duration::from_millis(50)).await, 1);
    assert_eq!(read(stuck).await, " | ");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let options = IngressOptions {
        connections_max: 1,
        ..IngressOptions::default()
    };
    let (ingress, echo) = start(options);
    let first = send(
        &ingress,
        "GET /wait HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    while echo.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let second = send(
        &ingress,
        "GET /wait HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    tokio::task::yield_now().await;
    assert_eq!(echo.waiting.load(Ordering::SeqCst), 1);
    echo.release.add_permits(2);
    assert!(read(first).await.starts_with("HTTP/1.1 200 OK"));
    assert!(read(second).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_swap_holds_for_the_next_request_of_an_open_connection() {
    let (ingress, _) = start(IngressOptions::default());
    let mut stream = send(&ingress, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut buffer = [0; 1024];
    let size = stream.read(&mut buffer).await.unwrap();
    assert!(String::from_utf8_lossy(&buffer[..size]).ends_with("echo / body=0"));
    ingress.swap(one_app("other"));
    let next = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(next.as_bytes()).await.unwrap();
    assert_eq!(read(stream).await, "HTTP/1.1 200 OK | other / body=0");
}

#[tokio::test]
async fn a_taken_address_is_an_error_before_anything_else_starts() {
    let (ingress, _) = start(IngressOptions::default());
    let taken = Ingress::bind(ingress.address(), IngressOptions::default());
    assert_eq!(
        taken.err().map(|error| error.kind()),
        Some(std::io::ErrorKind::AddrInUse)
    );
}
