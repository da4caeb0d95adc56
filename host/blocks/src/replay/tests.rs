//! Bodies that several attempts read.

use super::*;
use futures::stream;
use http_body_util::{Empty, Full, StreamBody};

fn request(body: Body) -> Replay {
    let mut request = Request::new(body);
    request.headers_mut().insert("x-id", "7".parse().unwrap());
    request.into()
}

fn frames(frames: Vec<Result<Frame<Bytes>, &'static str>>) -> Body {
    let frames = frames
        .into_iter()
        .map(|frame| frame.map_err(BodyError::from));
    Body::new(StreamBody::new(stream::iter(frames)))
}

fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

fn whole(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(never)
        .boxed_unsync()
}

/// All that a request has to say.
async fn told(request: Request<Body>) -> String {
    let id = request.headers()["x-id"].to_str().unwrap().to_owned();
    match request.into_body().collect().await {
        Ok(body) => {
            let trailers = body.trailers().map(|trailers| format!(" {trailers:?}"));
            let data = String::from_utf8(body.to_bytes().to_vec()).unwrap();
            format!("{id} {data}{}", trailers.unwrap_or_default())
        }
        Err(error) => format!("{id} error: {error}"),
    }
}

#[tokio::test]
async fn every_attempt_reads_the_same() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "9".parse().unwrap());
    let body = frames(vec![data("a"), data("b"), Ok(Frame::trailers(trailers))]);
    let mut first = request(body);
    let mut second = first.spare();
    let third = second.spare();
    for attempt in [first, second, third] {
        assert!(attempt.is_whole());
        assert_eq!(
            told(attempt.into_request()).await,
            "7 ab {\"x-sum\": \"9\"}"
        );
    }
}

#[tokio::test]
async fn an_attempt_goes_on_where_the_last_one_stopped_reading() {
    let mut first = request(frames(vec![data("a"), data("b"), data("c")]));
    let second = first.spare();
    let mut reading = first.into_request().into_body();
    let frame = reading.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "a");
    let second = second.into_request();
    // Whoever has not noticed yet that its attempt is over gets nothing more.
    let error = reading.frame().await.unwrap().unwrap_err().to_string();
    assert_eq!(error, "another attempt sends this body now");
    assert_eq!(told(second).await, "7 abc");
}

#[tokio::test]
async fn a_request_for_one_attempt_keeps_its_body() {
    let once = request(whole("abc")).into_request();
    assert_eq!(once.body().size_hint().exact(), Some(3));
    assert_eq!(told(once).await, "7 abc");
}

#[tokio::test]
async fn the_length_is_known_until_the_first_byte() {
    let mut first = request(whole("abc"));
    let second = first.spare();
    for attempt in [first, second] {
        let mut body = attempt.into_request().into_body();
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(!body.is_end_stream());
        body.frame().await.unwrap().unwrap();
        assert_eq!(body.size_hint().exact(), None);
    }
    let mut empty = request(Empty::new().map_err(never).boxed_unsync());
    let spare = empty.spare();
    for attempt in [empty, spare] {
        let body = attempt.into_request().into_body();
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}

#[tokio::test]
async fn what_is_too_large_or_broken_is_not_kept() {
    let piece = || Ok(Frame::data(Bytes::from(vec![b'x'; 40 << 10])));
    let mut first = request(frames(vec![piece(), piece(), data("end")]));
    let second = first.spare();
    let mut body = first.into_request().into_body();
    body.frame().await.unwrap().unwrap();
    assert!(second.is_whole());
    body.frame().await.unwrap().unwrap();
    assert!(!second.is_whole());
    let last = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(last, "end");

    let mut first = request(frames(vec![data("a"), Err("the line is dead")]));
    let second = first.spare();
    assert_eq!(
        told(first.into_request()).await,
        "7 error: the line is dead"
    );
    assert!(!second.is_whole());
}

#[tokio::test]
async fn a_known_length_over_the_limit_is_not_kept() {
    let large = Bytes::from(vec![b'x'; (4 << 20) + 1]);
    let mut first = request(Full::new(large).map_err(never).boxed_unsync());
    let second = first.spare();
    assert!(second.is_whole());
    first.into_request().into_body().collect().await.unwrap();
    assert!(!second.is_whole());
}
