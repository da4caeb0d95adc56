//! Guests and clients that misbehave: each gets its reason code, and nobody else notices.

mod common;

use anyhow::{Result, ensure};
use berth_e2e::{Answer, Neighbour, Wire, eventually, timely};
use common::{MIB, Village, in_flight};
use futures::{StreamExt, stream};
use reqwest::Method;
use std::time::{Duration, Instant};

/// Calls of a misbehaving guest at the same time.
const CALLS: usize = 8;
/// Calls of a misbehaving guest in all.
const CALLS_ALL: usize = 24;
/// What a misbehaving guest may add to the host: the memory of its instances, which the pool keeps, and change.
const GROWTH_MAX: u64 = 400 * MIB;

/// Calls one path again and again while the neighbour is watched.
async fn calls_end(path: &str, guest: &str, status: u16, reason: &str) -> Result<()> {
    let timeout = if reason == "wall-time" { "1s" } else { "30s" };
    let village = Village::new()?;
    village.app(
        "hostile",
        guest,
        "[/]",
        // Eight loops on two cores use up their CPU time long before this one.
        &format!("memory: 32Mi, cpuTime: 200ms, timeout: {timeout}, concurrency: 8, queue: 64"),
    )?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let client = host.client();
    client.get("/hello").await?;
    let before = host.memory()?;
    let neighbour = Neighbour::watch(client, "/hello");

    let answers: Vec<_> = stream::iter(0..CALLS_ALL)
        .map(|_| client.get(path))
        .buffer_unordered(CALLS)
        .collect()
        .await;
    for answer in answers {
        let answer = answer?;
        assert_eq!(
            (answer.status, answer.reason()),
            (status, reason),
            "{answer}"
        );
        let code = format!("ERR_GUEST_{}", reason.replace('-', "_").to_uppercase());
        assert_eq!(answer.json()["errorCode"], code, "{answer}");
    }
    neighbour.is_well().await?;

    let growth = host.memory()?.growth_since(before);
    assert!(growth < GROWTH_MAX, "the host grew by {} MiB", growth / MIB);
    let label = format!("reason=\"{reason}\"");
    let counted = host
        .metric("berth_guest_failures_total", &["app=\"hostile\"", &label])
        .await?;
    assert_eq!(counted, CALLS_ALL as f64);
    let failed = |record: &berth_e2e::Record| {
        record.get("app") == "hostile" && record.get("reason") == reason
    };
    let record = host.logged(reason, failed).await?;
    assert_eq!(
        (record.get("level"), record.get("trace_id").len()),
        ("warn", 32),
        "{record:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_ends_when_its_cpu_time_is_used_up() -> Result<()> {
    calls_end("/loop", "hostile", 504, "cpu-time").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_bomb_gets_no_more_than_its_limit() -> Result<()> {
    calls_end("/memory", "hostile", 500, "memory").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_growing_table_gets_no_more_than_its_limit() -> Result<()> {
    calls_end("/", "hostile-table", 500, "table").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_overflow_ends_the_call_only() -> Result<()> {
    calls_end("/overflow", "hostile", 500, "stack").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_ends_the_call_only() -> Result<()> {
    calls_end("/trap", "hostile", 500, "trap").await
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_never_taken_for_a_whole_one() -> Result<()> {
    calls_end("/half", "hostile", 500, "trap").await?;

    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    let host = village.start().await?;
    // More than is waited for before the head is sent.
    let broken = host.client().get("/half?bytes=1000000").await;
    assert!(broken.is_err(), "{broken:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_without_a_response_is_answered_for() -> Result<()> {
    calls_end("/no-response", "hostile", 500, "no-response").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_sleeps_is_woken_by_its_wall_time() -> Result<()> {
    calls_end("/sleep?ms=3600000", "hostile", 504, "wall-time").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_never_reads_its_request_is_ended_by_its_wall_time() -> Result<()> {
    let village = Village::new()?;
    village.app(
        "hostile",
        "hostile",
        "[/]",
        "timeout: 1s, requestBody: 64Mi",
    )?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let before = host.memory()?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    let mut wire = Wire::connect(host.client().address()).await?;
    wire.begin("/slow-read").await?;
    // The guest takes the beginning; what it leaves must not pile up in the host.
    let piece = vec![b'x'; MIB as usize];
    let mut taken = 0;
    while taken < 64 && wire.takes(&piece, Duration::from_millis(200)).await {
        taken += 1;
    }
    assert!(taken < 16, "the host took {taken} MiB that nobody reads");
    let head = wire.head().await?;
    assert_eq!(
        (head.status, head.header("berth-reason")),
        (504, "wall-time")
    );
    neighbour.is_well().await?;
    let growth = host.memory()?.growth_since(before);
    assert!(growth < 64 * MIB, "the host grew by {} MiB", growth / MIB);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_lines_is_cut_to_the_budget() -> Result<()> {
    let village = Village::new()?;
    village.app(
        "hostile",
        "hostile",
        "[/]",
        "logRate: 4Ki, cpuTime: 300ms, timeout: 5s",
    )?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    let begun = Instant::now();
    for _ in 0..3 {
        let answer = host.client().get("/log-flood").await?;
        assert_eq!(
            (answer.status, answer.reason()),
            (504, "cpu-time"),
            "{answer}"
        );
    }
    neighbour.is_well().await?;

    let app = ["app=\"hostile\""];
    let dropped = host
        .metric("berth_guest_log_lines_dropped_total", &app)
        .await?;
    assert!(dropped > 100.0, "{dropped} lines were dropped");
    host.logged("lines are dropped", |record| {
        record.get("app") == "hostile" && record.get("reason") == "log-volume"
    })
    .await?;
    // A burst of ten seconds, then the rate.
    let budget = 4096 * (10 + begun.elapsed().as_secs() + 1);
    let kept = host
        .log()
        .into_iter()
        .filter(|record| record.get("scope") == "guest");
    let kept: usize = kept.map(|record| record.message().len() + 1).sum();
    assert!(
        kept > 4096 && kept as u64 <= budget,
        "{kept} bytes were logged, the budget was {budget}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off() -> Result<()> {
    let village = Village::new()?;
    village.app(
        "hostile",
        "hostile",
        "[/]",
        "timeout: 5s, responseBody: 1Gi, concurrency: 4, queue: 0",
    )?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let before = host.memory()?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    let mut silent = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::connect(host.client().address()).await?;
        wire.get("/big?bytes=536870912").await?;
        silent.push(wire);
    }
    eventually("all places are taken", timely(), async || {
        in_flight(&host, "hostile", 4).await
    })
    .await?;
    let answer = host.client().get("/ok").await?;
    assert_eq!(
        (answer.status, answer.reason()),
        (503, "overloaded"),
        "{answer}"
    );
    eventually("the places are free again", timely(), async || {
        in_flight(&host, "hostile", 0).await
    })
    .await?;
    assert_eq!(host.client().get("/ok").await?.text(), "ok");
    for mut wire in silent {
        let came = wire.read_to_end().await?.len() as u64;
        assert!(came < 64 * MIB, "{} MiB came", came / MIB);
    }
    neighbour.is_well().await?;
    let growth = host.memory()?.growth_since(before);
    assert!(growth < 128 * MIB, "the host grew by {} MiB", growth / MIB);
    let labels = ["app=\"hostile\"", "reason=\"wall-time\""];
    assert_eq!(
        host.metric("berth_guest_failures_total", &labels).await?,
        4.0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_its_body_slowly_is_cut_off() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "timeout: 2s")?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    let mut wire = Wire::connect(host.client().address()).await?;
    let begun = Instant::now();
    wire.begin("/count").await?;
    while begun.elapsed() < Duration::from_secs(1) {
        wire.send_chunk(b"x").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let head = wire.head().await?;
    assert_eq!(
        (head.status, head.header("berth-reason")),
        (504, "wall-time")
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        begun.elapsed()
    );
    neighbour.is_well().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_stalls_in_its_answer_is_cut_off() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "timeout: 1s")?;
    let host = village.start().await?;
    let mut wire = Wire::connect(host.client().address()).await?;
    wire.get("/slow-body").await?;
    assert_eq!(wire.head().await?.status, 200);
    assert_eq!(wire.chunk().await?, b"first");
    // The answer has begun: it can only break off, without the chunk that would end it well.
    assert_eq!(wire.read_to_end().await?, b"");
    let labels = ["app=\"hostile\"", "reason=\"wall-time\""];
    assert_eq!(
        host.metric("berth_guest_failures_total", &labels).await?,
        1.0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_their_limits_are_refused() -> Result<()> {
    let village = Village::new()?;
    village.app(
        "hostile",
        "hostile",
        "[/]",
        "requestBody: 1Mi, responseBody: 1Mi",
    )?;
    let host = village.start().await?;
    let send = async |bytes: usize| {
        let request = host
            .client()
            .request(Method::POST, "/count")
            .header("connection", "close")
            .body(vec![b'x'; bytes]);
        Answer::to(request).await
    };
    let fits = send(MIB as usize).await?;
    assert_eq!((fits.status, fits.text()), (200, MIB.to_string()));
    let declared = send(MIB as usize + 1).await?;
    assert_eq!(
        (declared.status, declared.reason()),
        (413, "request-body"),
        "{declared}"
    );

    // Without a length the host has to count.
    let pieces = stream::iter(0..3).map(|_| anyhow::Ok(vec![b'x'; MIB as usize / 2]));
    let request = host.client().request(Method::POST, "/count");
    let request = request.header("connection", "close");
    let counted = Answer::to(request.body(reqwest::Body::wrap_stream(pieces))).await?;
    assert_eq!(
        (counted.status, counted.reason()),
        (413, "request-body"),
        "{counted}"
    );

    assert_eq!(
        host.client().get("/big?bytes=1048576").await?.body.len() as u64,
        MIB
    );
    let large = host.client().get("/big?bytes=1048577").await;
    ensure!(large.is_err(), "an answer beyond its limit came whole");
    let labels = ["app=\"hostile\"", "reason=\"response-body\""];
    assert_eq!(
        host.metric("berth_guest_failures_total", &labels).await?,
        1.0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_refuses_at_once_and_says_when_to_come_again() -> Result<()> {
    let village = Village::new()?;
    village.app(
        "hostile",
        "hostile",
        "[/]",
        "concurrency: 2, queue: 2, timeout: 20s",
    )?;
    village.app("hello", "hello", "[/hello]", "")?;
    let host = village.start().await?;
    let neighbour = Neighbour::watch(host.client(), "/hello");
    let answers: Vec<_> = stream::iter(0..12)
        .map(|_| host.client().get("/sleep?ms=3000"))
        .buffer_unordered(12)
        .collect()
        .await;
    let (mut slept, mut refused) = (0, 0);
    for answer in answers {
        let answer = answer?;
        match answer.status {
            200 => slept += 1,
            _ => {
                assert_eq!(
                    (answer.status, answer.reason()),
                    (503, "overloaded"),
                    "{answer}"
                );
                assert_eq!(answer.header("retry-after"), "1");
                refused += 1;
            }
        }
    }
    // Two run and two wait.
    assert_eq!((slept, refused), (4, 8));
    neighbour.is_well().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_end_of_its_request_says_that_the_connection_ends() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "requestBody: 1Mi")?;
    let host = village.start().await?;
    let mut wire = Wire::connect(host.client().address()).await?;
    wire.send("POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2097152\r\n\r\nx")
        .await?;
    let head = wire.head().await?;
    assert_eq!(
        (head.status, head.header("berth-reason")),
        (413, "request-body")
    );
    // Without it a client keeps the connection, and its next request is lost.
    assert_eq!(head.header("connection"), "close");
    Ok(())
}
