//! Inbound policies: status codes, timeouts, circuit breakers, and documents that change.

use super::*;

fn failed(status: u16) -> DeliveryOutcome {
    DeliveryOutcome::Failed {
        status,
        reason: status.to_string(),
    }
}

impl Host {
    async fn dead(&self, count: usize) -> Vec<StoredMessage> {
        self.until("the dead letters are there", async |host| {
            host.stored("dead").await.len() >= count
        })
        .await;
        self.stored("dead").await
    }

    /// Second of each attempt, and what it brought.
    fn moments(&self) -> Vec<(u64, String)> {
        let seen = self.app.seen.lock();
        let moment = |(at, delivery): &(Duration, Delivery)| (at.as_secs(), data(delivery));
        seen.iter().map(moment).collect()
    }
}

fn moments(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    let moment = |(at, data): &(u64, &str)| (*at, (*data).to_owned());
    expected.iter().map(moment).collect()
}

#[tokio::test(start_paused = true)]
async fn a_status_that_the_policy_does_not_match_is_not_tried_again() {
    let matching = "{ duration: 1s, maxRetries: 5, matching: { httpStatusCodes: 500-599 } }";
    let policies = inbound(
        &format!("{{ retries: {{ r: {matching} }} }}"),
        "{ retry: r }",
    );
    let app = App::answering([failed(503), failed(400)]);
    let host = Host::under(policies, app, vec![plan(with_dead_letters("t"))]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    let letters = host.dead(1).await;
    assert_eq!(host.app.attempts(), [1, 2]);
    assert_eq!(mark(&letters[0], dead_letter::REASON), "400");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_given_up_and_tried_again() {
    let policies = inbound(
        "{ timeouts: { t: 3s }, retries: { r: { duration: 2s, maxRetries: 1 } } }",
        "{ timeout: t, retry: r }",
    );
    let app = App {
        takes: Duration::from_secs(4),
        ..App::default()
    };
    let host = Host::under(policies, app, vec![plan(with_dead_letters("t"))]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    let letters = host.dead(1).await;
    assert_eq!(host.moments(), moments(&[(0, "m"), (5, "m")]));
    let (reason, attempts) = (dead_letter::REASON, dead_letter::ATTEMPTS);
    assert_eq!(mark(&letters[0], reason), "no answer within 3s");
    assert_eq!(mark(&letters[0], attempts), "2");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_takes_too_long_fails_for_each_of_its_messages() {
    let policies = inbound("{ timeouts: { t: 3s } }", "{ timeout: t }");
    let app = App {
        takes: Duration::from_secs(4),
        ..App::default()
    };
    let bulk = Subscription {
        bulk: Some(berth_resources::BulkSettings {
            max_messages: 2,
            // Longer than the timeout, which begins with the call.
            max_await: Duration::from_secs(10),
        }),
        ..with_dead_letters("t")
    };
    let host = Host::under(policies, app, vec![plan(bulk)]).await;
    for data in ["a", "b", "late"] {
        host.publish("t", data, PublishOptions::default()).await;
    }
    let letters = host.dead(3).await;
    assert_eq!(host.moments().len(), 3);
    for letter in &letters {
        assert_eq!(mark(letter, dead_letter::REASON), "no answer within 3s");
    }
}

/// Opens at the second failure in a row, for 20 s.
const BREAKER: &str = "circuitBreakers: { c: { timeout: 20s, trip: consecutiveFailures >= 2 } }";

#[tokio::test(start_paused = true)]
async fn a_message_that_an_open_breaker_keeps_back_comes_again_uncounted() {
    let policies = inbound(&format!("{{ {BREAKER} }}"), "{ circuitBreaker: c }");
    let app = App::answering([retry(), retry()]);
    let host = Host::under(policies, app, vec![plan(with_dead_letters("t"))]).await;
    for data in ["poison", "worse"] {
        host.publish("t", data, PublishOptions::default()).await;
    }
    host.dead(2).await;
    host.publish("t", "waits", PublishOptions::default()).await;
    host.until("it is handled", async |host| host.app.data().len() == 3)
        .await;
    host.idle("t").await;
    // Not before the breaker lets it through, and as if it had never come: nothing but the two is dead.
    let (at, data) = host.moments().remove(2);
    assert_eq!(data, "waits");
    assert!((20..=21).contains(&at), "{at}");
    assert_eq!(host.app.attempts(), [1, 1, 1]);
    assert_eq!(host.stored("dead").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_failed_until_the_breaker_opened_is_dead() {
    let policies = inbound(
        &format!("{{ retries: {{ r: {{ duration: 1s, maxRetries: 9 }} }}, {BREAKER} }}"),
        "{ retry: r, circuitBreaker: c }",
    );
    let app = App::answering(std::iter::repeat_with(retry).take(9));
    let host = Host::under(policies, app, vec![plan(with_dead_letters("t"))]).await;
    host.publish("t", "m", PublishOptions::default()).await;
    let letters = host.dead(1).await;
    assert_eq!(host.moments(), moments(&[(0, "m"), (1, "m")]));
    assert_eq!(mark(&letters[0], dead_letter::ATTEMPTS), "2");
    assert_eq!(
        mark(&letters[0], dead_letter::REASON),
        "failed after 2 attempts in 2s, its circuit breaker is open for another 19s: attempts 1-2: not now"
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_policy_counts_from_the_next_message() {
    let app = App::answering(std::iter::repeat_with(retry).take(4));
    let host = Host::under(constant(10, 1), app, vec![plan(with_dead_letters("t"))]).await;
    host.publish("t", "before", PublishOptions::default()).await;
    host.until("it is delivered", async |host| !host.app.data().is_empty())
        .await;
    host.govern(constant(1, 1));
    host.publish("t", "after", PublishOptions::default()).await;
    host.dead(2).await;
    // The message that was under way has kept its policy, and the subscription did not begin anew.
    let expected = [(0, "before"), (0, "after"), (1, "after"), (10, "before")];
    assert_eq!(host.moments(), moments(&expected));
    assert_eq!(host.app.attempts(), [1, 1, 2, 2]);
}
