//! Resiliency of calls to apps, on a clock that only the tests move.

use super::{policies::resiliencies, *};
use berth_resiliency::Resiliencies;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Full, StreamBody};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// The app at the other end: reads what it is sent, then gives the next answer.
#[derive(Default)]
struct App {
    answers: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<(Duration, String)>>,
    began: Mutex<Option<tokio::time::Instant>>,
}

#[derive(Clone, Copy)]
enum Answer {
    Status(u16),
    Undelivered,
    /// It began, and did not answer.
    Failed,
    /// Before anything was read.
    Unread(u16),
}

impl App {
    fn answering(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        })
    }

    /// Second of each attempt, and the body that it brought.
    fn seen(&self) -> Vec<(u64, String)> {
        let seen = std::mem::take(&mut *self.seen.lock());
        seen.into_iter()
            .map(|(at, body)| (at.as_secs(), body))
            .collect()
    }
}

#[async_trait]
impl Invoke for App {
    async fn invoke(
        &self,
        _: &Caller,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        let now = tokio::time::Instant::now();
        let at = now - *self.began.lock().get_or_insert(now);
        let next = self.answers.lock().pop_front();
        let next = next.unwrap_or(Answer::Status(200));
        let body = match next {
            Answer::Unread(_) => Bytes::new(),
            _ => match request.into_body().collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => error.to_string().into(),
            },
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        self.seen.lock().push((at, body));
        let text = format!("app \"{}\" is away", target.app);
        match next {
            Answer::Undelivered => Err(InvokeError::Undelivered(text)),
            Answer::Failed => Err(InvokeError::Unavailable(text)),
            Answer::Status(status) | Answer::Unread(status) => {
                let mut answer = Response::new(empty());
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok(answer)
            }
        }
    }
}

fn empty() -> Body {
    Body::new(Empty::new().map_err(|never| match never {}))
}

fn whole(text: &str) -> Body {
    let text = Bytes::copy_from_slice(text.as_bytes());
    Body::new(Full::new(text).map_err(|never| match never {}))
}

/// Pieces that come one by one, of a length that nobody knows before.
fn streamed(pieces: &[&str]) -> Body {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|piece| {
            Ok(http_body::Frame::data(Bytes::copy_from_slice(
                piece.as_bytes(),
            )))
        })
        .collect();
    Body::new(StreamBody::new(futures::stream::iter(pieces)))
}

/// App `orders` calls others under these policies.
fn calls(app: &Arc<App>, policies: Resiliencies) -> Blocks {
    let blocks = Blocks::new();
    blocks.set_invoke(app.clone());
    let mut backends = Backends::default();
    backends.govern(policies);
    blocks.swap(backends);
    blocks
}

async fn call(blocks: &Blocks, target: &str, path: &str, body: Body) -> Result<u16, InvokeError> {
    let mut request = Request::new(body);
    *request.uri_mut() = path.parse().unwrap();
    let caller = caller("orders");
    let answer = blocks.invoker(&caller).invoke(target, request).await?;
    Ok(answer.status().as_u16())
}

/// Every second, at most twice more.
fn twice_more() -> Resiliencies {
    resiliencies(
        "{ retries: { r: { duration: 1s, maxRetries: 2 } } }",
        "{ apps: { stock: { retry: r } } }",
    )
}

fn seen(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    let attempt = |(at, body): &(u64, &str)| (*at, (*body).to_owned());
    expected.iter().map(attempt).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_not_delivered_is_tried_three_more_times() {
    let app = App::answering([Answer::Undelivered; 5]);
    let blocks = calls(&app, Resiliencies::default());
    assert_eq!(
        call(&blocks, "stock", "/reserve", whole("3 apples")).await,
        Err(InvokeError::Undelivered(
            "app \"stock\": invocation.invoke failed after 4 attempts in 3s: attempts 1-4: app \"stock\" is away"
                .to_owned()
        ))
    );
    let all = [0, 1, 2, 3].map(|at| (at, "3 apples"));
    assert_eq!(app.seen(), seen(&all));
    assert_eq!(call(&blocks, "stock", "/", whole("m")).await, Ok(200));
    // To itself an app has no such retries.
    app.answers.lock().extend([Answer::Undelivered]);
    assert!(call(&blocks, "orders", "/", empty()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_the_app_may_have_seen_is_not_tried_again_without_a_policy() {
    for answer in [Answer::Failed, Answer::Status(500), Answer::Status(503)] {
        let app = App::answering([answer]);
        let blocks = calls(&app, Resiliencies::default());
        let answered = call(&blocks, "stock", "/reserve", whole("3 apples")).await;
        match answer {
            Answer::Status(status) => assert_eq!(answered, Ok(status)),
            _ => assert!(matches!(answered, Err(InvokeError::Unavailable(_)))),
        }
        assert_eq!(app.seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_tries_again_whatever_is_no_success() {
    let app = App::answering([Answer::Status(500), Answer::Failed]);
    let blocks = calls(&app, twice_more());
    assert_eq!(call(&blocks, "stock", "/", whole("m")).await, Ok(200));
    assert_eq!(app.seen(), seen(&[(0, "m"), (1, "m"), (2, "m")]));
    // The last answer of the app is what the caller gets.
    app.answers.lock().extend([Answer::Status(503); 3]);
    assert_eq!(call(&blocks, "stock", "/", whole("m")).await, Ok(503));
    assert_eq!(app.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_small_body_that_streams_is_sent_again_as_it_was() {
    let app = App::answering([Answer::Status(500), Answer::Unread(500)]);
    let blocks = calls(&app, twice_more());
    let body = streamed(&["3 ", "apples"]);
    assert_eq!(call(&blocks, "stock", "/", body).await, Ok(200));
    assert_eq!(
        app.seen(),
        seen(&[(0, "3 apples"), (1, ""), (2, "3 apples")])
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_not_kept_whole_is_sent_once() {
    let large = "x".repeat(65 << 10);
    let app = App::answering([Answer::Status(500), Answer::Failed, Answer::Unread(500)]);
    let blocks = calls(&app, twice_more());
    assert_eq!(
        call(&blocks, "stock", "/", streamed(&[&large])).await,
        Ok(500)
    );
    assert_eq!(
        call(&blocks, "stock", "/", streamed(&[&large])).await,
        Err(InvokeError::Unavailable(
            "app \"stock\": invocation.invoke failed after 1 attempt, its body cannot be sent again: \
             attempt 1: app \"stock\" is away"
                .to_owned()
        ))
    );
    let attempts = app.seen();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[1].1.len(), large.len());
    // Nothing of it was read: nothing is missing.
    assert_eq!(
        call(&blocks, "stock", "/", streamed(&[&large])).await,
        Ok(200)
    );
    // Of a length that is known more is kept.
    app.answers.lock().extend([Answer::Status(500)]);
    assert_eq!(call(&blocks, "stock", "/", whole(&large)).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn each_method_has_its_own_breaker() {
    let app = App::answering([Answer::Status(500), Answer::Status(500)]);
    let policies = resiliencies(
        "{ circuitBreakers: { c: { trip: consecutiveFailures >= 2 } } }",
        "{ apps: { stock: { circuitBreaker: c } } }",
    );
    let blocks = calls(&app, policies);
    for path in ["/reserve?sku=1", "/reserve?sku=2"] {
        assert_eq!(call(&blocks, "stock", path, empty()).await, Ok(500));
    }
    assert_eq!(
        call(&blocks, "stock", "/reserve", empty()).await,
        Err(InvokeError::Unavailable(
            "app \"stock\": its circuit breaker is open for another 60s".to_owned()
        ))
    );
    assert_eq!(call(&blocks, "stock", "/count", empty()).await, Ok(200));
    assert_eq!(app.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_to_nobody_fails_at_once() {
    let app = App::answering([]);
    let blocks = calls(&app, twice_more());
    let nobody = call(&blocks, "not an app", "/", empty()).await;
    assert!(matches!(nobody, Err(InvokeError::Invalid(_))), "{nobody:?}");
    let elsewhere = call(&blocks, "stock.tenant", "/", empty()).await;
    assert!(
        matches!(elsewhere, Err(InvokeError::Denied(_))),
        "{elsewhere:?}"
    );
    assert_eq!(app.seen(), []);
}
