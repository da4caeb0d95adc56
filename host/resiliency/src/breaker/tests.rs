//! The machine on a clock that only the tests move.

use super::*;
use crate::{meters::Labels, table::Target};
use tokio::time::advance;

fn breaker(policy: CircuitBreakerPolicy) -> Arc<Breaker> {
    let labels = Labels {
        namespace: "default".parse().unwrap(),
        app: "orders".parse().unwrap(),
        target: Target::OtherApps,
    };
    let meters = Arc::new(BreakerMeters::new(labels));
    Arc::new(Breaker::new(&policy, meters, Instant::now()))
}

/// Opens at the second failure in a row, for 10 s.
fn policy() -> CircuitBreakerPolicy {
    CircuitBreakerPolicy {
        timeout: SECONDS * 10,
        trip: Some("consecutiveFailures >= 2".to_owned()),
        ..CircuitBreakerPolicy::default()
    }
}

const SECONDS: Duration = Duration::from_secs(1);

impl Breaker {
    fn try_admit(self: &Arc<Self>) -> Result<Permit, Refusal> {
        self.admit(Instant::now(), None)
    }

    fn attempt(self: &Arc<Self>, health: Health) {
        self.try_admit().unwrap().settle(health);
    }

    fn fail(self: &Arc<Self>, times: u32) {
        (0..times).for_each(|_| self.attempt(Health::Fails));
    }

    fn now(&self) -> BreakerState {
        self.state(Instant::now())
    }
}

#[tokio::test(start_paused = true)]
async fn it_opens_when_the_condition_holds_and_closes_after_a_success() {
    let breaker = breaker(policy());
    breaker.fail(1);
    breaker.attempt(Health::Works);
    breaker.fail(1);
    assert_eq!(breaker.now(), BreakerState::Closed);
    breaker.fail(1);
    assert_eq!(breaker.now(), BreakerState::Open);
    assert_eq!(
        breaker.try_admit().unwrap_err(),
        Refusal::Open(SECONDS * 10)
    );
    advance(SECONDS * 9).await;
    assert_eq!(breaker.try_admit().unwrap_err(), Refusal::Open(SECONDS));
    advance(SECONDS).await;
    assert_eq!(breaker.now(), BreakerState::HalfOpen);
    breaker.attempt(Health::Works);
    assert_eq!(breaker.now(), BreakerState::Closed);
    // It has forgotten the failures from before.
    breaker.fail(1);
    assert_eq!(breaker.now(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn one_failure_opens_a_half_open_breaker_for_the_whole_time() {
    let breaker = breaker(policy());
    breaker.fail(2);
    advance(SECONDS * 12).await;
    breaker.fail(1);
    assert_eq!(
        breaker.try_admit().unwrap_err(),
        Refusal::Open(SECONDS * 10)
    );
}

#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_wants_to_see_max_requests() {
    let breaker = breaker(CircuitBreakerPolicy {
        max_requests: 2,
        ..policy()
    });
    breaker.fail(2);
    advance(SECONDS * 10).await;
    let first = breaker.try_admit().unwrap();
    let second = breaker.try_admit().unwrap();
    assert_eq!(breaker.try_admit().unwrap_err(), Refusal::HalfOpen);
    first.settle(Health::Works);
    // As in Dapr the number is one of attempts, not of attempts at the same time.
    assert_eq!(breaker.try_admit().unwrap_err(), Refusal::HalfOpen);
    second.settle(Health::Works);
    assert_eq!(breaker.now(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_given_up_leaves_its_place() {
    let breaker = breaker(policy());
    breaker.fail(2);
    advance(SECONDS * 10).await;
    drop(breaker.try_admit().unwrap());
    breaker.attempt(Health::Unknown);
    assert_eq!(breaker.now(), BreakerState::HalfOpen);
    breaker.attempt(Health::Works);
    assert_eq!(breaker.now(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_given_up_at_its_deadline_has_failed() {
    let breaker = breaker(policy());
    let deadline = Some(Instant::now() + SECONDS);
    for _ in 0..2 {
        let permit = breaker.admit(Instant::now(), deadline).unwrap();
        advance(SECONDS).await;
        drop(permit);
    }
    assert_eq!(breaker.now(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_closed_breaker_forgets_after_its_interval() {
    let breaker = breaker(CircuitBreakerPolicy {
        interval: SECONDS * 8,
        ..policy()
    });
    breaker.fail(1);
    advance(SECONDS * 8).await;
    breaker.fail(1);
    assert_eq!(breaker.now(), BreakerState::Closed);
    // It began to count anew at the first attempt after the interval.
    advance(SECONDS * 7).await;
    breaker.fail(1);
    assert_eq!(breaker.now(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn what_began_before_a_change_is_not_counted_after_it() {
    let breaker = breaker(policy());
    let (early, late) = (breaker.try_admit().unwrap(), breaker.try_admit().unwrap());
    breaker.fail(2);
    early.settle(Health::Works);
    assert_eq!(breaker.now(), BreakerState::Open);
    advance(SECONDS * 10).await;
    let probe = breaker.try_admit().unwrap();
    late.settle(Health::Fails);
    assert_eq!(breaker.now(), BreakerState::HalfOpen);
    probe.settle(Health::Works);
    assert_eq!(breaker.now(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_defaults_are_those_of_dapr() {
    let breaker = breaker(CircuitBreakerPolicy::default());
    breaker.fail(5);
    advance(SECONDS * 3_600 * 24).await;
    assert_eq!(breaker.now(), BreakerState::Closed);
    breaker.fail(1);
    assert_eq!(
        breaker.try_admit().unwrap_err(),
        Refusal::Open(SECONDS * 60)
    );
    advance(SECONDS * 60).await;
    let _probe = breaker.try_admit().unwrap();
    assert_eq!(breaker.try_admit().unwrap_err(), Refusal::HalfOpen);
}
