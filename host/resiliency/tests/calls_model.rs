//! Random policies and calls against a small model: what is tried, and when.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use berth_resiliency::{Code, Ended, Resiliencies};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::{fmt::Write as _, time::Duration};
use support::*;
use tokio::time::sleep;

/// The three policies of a target, in milliseconds.
#[derive(Debug, Clone)]
struct Policies {
    timeout: Option<u64>,
    retry: Option<Retry>,
    breaker: Option<Breaker>,
}

#[derive(Debug, Clone)]
struct Retry {
    /// A constant pause, or the longest of an exponential one.
    pause: u64,
    exponential: bool,
    /// -1: without end.
    retries: i64,
    /// Only status 500 to 599 and gRPC's UNAVAILABLE.
    matching: bool,
}

#[derive(Debug, Clone)]
struct Breaker {
    max_requests: u32,
    interval: u64,
    timeout: u64,
    trip: (Trip, u32),
}

#[derive(Debug, Clone, Copy)]
enum Trip {
    FailuresInARow,
    Failures,
    MostOf,
}

fn policies() -> impl Strategy<Value = Policies> {
    let retry = (
        select(vec![10, 500, 2_000]),
        any::<bool>(),
        -1..5_i64,
        any::<bool>(),
    );
    let retry = retry.prop_map(|(pause, exponential, retries, matching)| Retry {
        pause,
        exponential,
        retries,
        matching,
    });
    let trip = select(vec![Trip::FailuresInARow, Trip::Failures, Trip::MostOf]);
    let breaker = (
        1..4_u32,
        select(vec![0, 700, 5_000]),
        select(vec![1, 900, 4_000]),
        (trip, 1..4_u32),
    );
    let breaker = breaker.prop_map(|(max_requests, interval, timeout, trip)| Breaker {
        max_requests,
        interval,
        timeout,
        trip,
    });
    let timeout = option::of(select(vec![50_u64, 300]));
    (timeout, option::of(retry), option::of(breaker)).prop_map(|(timeout, retry, breaker)| {
        Policies {
            timeout,
            retry,
            breaker,
        }
    })
}

fn spec(policies: &Policies) -> String {
    let (mut defined, mut used) = (String::new(), Vec::new());
    if let Some(timeout) = policies.timeout {
        writeln!(defined, "    timeouts: {{ t: {timeout} }}").unwrap();
        used.push("timeout: t");
    }
    if let Some(retry) = &policies.retry {
        let growth = if retry.exponential {
            "policy: exponential, maxInterval"
        } else {
            "duration"
        };
        let matching = if retry.matching {
            ", matching: { httpStatusCodes: 500-599, gRPCStatusCodes: 14 }"
        } else {
            ""
        };
        let (pause, retries) = (retry.pause, retry.retries);
        writeln!(
            defined,
            "    retries: {{ r: {{ {growth}: {pause}, maxRetries: {retries}{matching} }} }}"
        )
        .unwrap();
        used.push("retry: r");
    }
    if let Some(breaker) = &policies.breaker {
        let limit = breaker.trip.1;
        let trip = match breaker.trip.0 {
            Trip::FailuresInARow => format!("consecutiveFailures >= {limit}"),
            Trip::Failures => format!("totalFailures > {limit}"),
            Trip::MostOf => format!("requests >= {limit} && totalFailures * 2 > requests"),
        };
        let Breaker {
            max_requests,
            interval,
            timeout,
            ..
        } = breaker;
        writeln!(
            defined,
            "    circuitBreakers: {{ c: {{ maxRequests: {max_requests}, interval: {interval}, timeout: {timeout}, trip: {trip} }} }}"
        )
        .unwrap();
        used.push("circuitBreaker: c");
    }
    format!(
        "  policies:\n    timeouts_: {{}}\n{defined}  targets:\n    components:\n      statestore: {{ outbound: {{ {} }} }}\n",
        used.join(", ")
    )
    .replace("    timeouts_: {}\n", "")
}

/// The model: plain numbers, one call at a time.
#[derive(Debug)]
struct Model<'p> {
    policies: &'p Policies,
    now: u64,
    attempts: Vec<u64>,
    state: State,
    /// requests, successes in a row, failures in all, failures in a row
    counts: (u32, u32, u32, u32),
    forgets_at: Option<u64>,
}

#[derive(Debug, PartialEq)]
enum State {
    Closed,
    HalfOpen,
    OpenUntil(u64),
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum End {
    Good,
    Failed,
    Late,
    OutOfTime,
    Refused,
}

impl<'p> Model<'p> {
    fn new(policies: &'p Policies) -> Self {
        let mut model = Self {
            policies,
            now: 0,
            attempts: Vec::new(),
            state: State::Closed,
            counts: (0, 0, 0, 0),
            forgets_at: None,
        };
        model.enter(State::Closed);
        model
    }

    fn enter(&mut self, state: State) {
        let interval = self.policies.breaker.as_ref().map_or(0, |own| own.interval);
        let closed = state == State::Closed;
        self.forgets_at = (closed && interval > 0).then(|| self.now + interval);
        self.counts = (0, 0, 0, 0);
        self.state = state;
    }

    fn tick(&mut self) {
        if let State::OpenUntil(until) = self.state {
            if self.now >= until {
                self.enter(State::HalfOpen);
            }
        } else if self.forgets_at.is_some_and(|at| self.now >= at) {
            self.enter(State::Closed);
        }
    }

    /// Whether the breaker lets one through. One call at a time never finds a half-open breaker full.
    fn admits(&mut self) -> bool {
        if self.policies.breaker.is_none() {
            return true;
        }
        self.tick();
        if let State::OpenUntil(_) = self.state {
            return false;
        }
        self.counts.0 += 1;
        true
    }

    fn settle(&mut self, good: bool, began: u64) {
        let Some(breaker) = &self.policies.breaker else {
            return;
        };
        // Its interval may have ended while the attempt ran: then it began in another generation.
        if self
            .forgets_at
            .is_some_and(|at| began < at && self.now >= at)
        {
            self.enter(State::Closed);
            return;
        }
        if good {
            self.counts.1 += 1;
            self.counts.3 = 0;
            if self.state == State::HalfOpen && self.counts.1 >= breaker.max_requests {
                self.enter(State::Closed);
            }
            return;
        }
        self.counts.1 = 0;
        self.counts.2 += 1;
        self.counts.3 += 1;
        let (requests, _, failures, in_a_row) = self.counts;
        let limit = breaker.trip.1;
        let trips = match breaker.trip.0 {
            Trip::FailuresInARow => in_a_row >= limit,
            Trip::Failures => failures > limit,
            Trip::MostOf => requests >= limit && failures * 2 > requests,
        };
        if self.state == State::HalfOpen || trips {
            let until = self.now + breaker.timeout;
            self.enter(State::OpenUntil(until));
        }
    }

    /// How long an attempt takes and how it ends: within the call's deadline, within the policy's timeout.
    fn attempt(&mut self, act: Act, deadline: u64) -> End {
        self.attempts.push(self.now);
        let (takes, end) = match act {
            Act::Succeed => (0, End::Good),
            Act::SucceedAfter(ms) => (ms, End::Good),
            Act::FailAfter(ms) => (ms, End::Failed),
            Act::Hang => (u64::MAX, End::Good),
            Act::Answer(_) | Act::Fail(_) => (0, End::Failed),
        };
        let left = deadline - self.now;
        let limit = self.policies.timeout.unwrap_or(u64::MAX);
        let (takes, end) = match takes {
            0 => (0, end),
            _ if takes <= left.min(limit) => (takes, end),
            _ if left <= limit => (left, End::OutOfTime),
            _ => (limit, End::Late),
        };
        self.now += takes;
        end
    }

    fn retried(retry: &Retry, act: Act, end: End) -> bool {
        match (end, act) {
            (End::Good | End::OutOfTime | End::Refused, _) => false,
            (End::Late, _) => !retry.matching,
            (End::Failed, Act::Answer(status)) => !retry.matching || status >= 500,
            (End::Failed, Act::Fail(Ended::Broken | Ended::Refused)) => false,
            (End::Failed, Act::Fail(Ended::Failed(Code::Grpc(code)))) => {
                !retry.matching || code == 14
            }
            (End::Failed, _) => true,
        }
    }

    fn call(&mut self, acts: &mut impl Iterator<Item = Act>, time: u64) -> End {
        let deadline = self.now + time;
        let (mut retries, mut interval) = (0, 500.0_f64);
        loop {
            if !self.admits() {
                return End::Refused;
            }
            let (act, began) = (acts.next().unwrap(), self.now);
            let end = self.attempt(act, deadline);
            if act == Act::Fail(Ended::Refused) {
                self.counts.0 = self.counts.0.saturating_sub(1);
                return End::Failed;
            }
            self.settle(end == End::Good, began);
            let Some(retry) = self.policies.retry.as_ref() else {
                return end;
            };
            if !Self::retried(retry, act, end) || retries == retry.retries {
                return end;
            }
            let pause = if retry.exponential {
                let pause = interval.min(retry.pause as f64);
                interval = (interval.min(retry.pause as f64) * 1.5).min(retry.pause as f64);
                pause.ceil() as u64
            } else {
                retry.pause
            };
            if self.now + pause >= deadline {
                return end;
            }
            retries += 1;
            self.now += pause;
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Succeed),
        1 => select(vec![10, 50, 51, 299, 301]).prop_map(Act::SucceedAfter),
        1 => select(vec![10, 50, 51, 299, 301]).prop_map(Act::FailAfter),
        4 => Just(UNAVAILABLE),
        1 => Just(UNDELIVERED),
        1 => Just(Act::Fail(Ended::Failed(Code::TIMEOUT))),
        1 => Just(Act::Fail(Ended::Broken)),
        1 => Just(Act::Fail(Ended::Refused)),
        1 => select(vec![404, 429, 500, 503]).prop_map(Act::Answer),
        1 => Just(Act::Hang),
    ]
}

/// Pause before a call, time that it has.
fn calls() -> impl Strategy<Value = Vec<(u64, u64)>> {
    vec(
        (
            select(vec![0, 0, 1, 100, 899, 900, 5_000]),
            select(vec![40, 400, 3_000, 60_000]),
        ),
        1..12,
    )
}

fn end(told: &str) -> End {
    let first = told.split(" | ").next().unwrap();
    match first {
        "200" => End::Good,
        "refused" => End::Refused,
        "no answer before the deadline of the call" => End::OutOfTime,
        first if first.starts_with("no answer within") => End::Late,
        _ => End::Failed,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_call_goes_as_in_the_model(
        policies in policies(),
        acts in vec(act(), 1..40),
        calls in calls(),
    ) {
        let text = document(&spec(&policies));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let _guard = runtime.enter();
        let resiliencies: Resiliencies = resiliencies(&text);
        let Some(policy) = outbound(&resiliencies) else {
            let retries = policies.retry.as_ref().is_none_or(|retry| retry.retries == 0);
            prop_assert!(policies.timeout.is_none() && policies.breaker.is_none() && retries, "{}", text);
            return Ok(());
        };
        let target = Target::new(Some(policy));
        let mut model = Model::new(&policies);
        // The script begins anew when it ends, and both sides take as much of it as they need.
        let mut script = acts.iter().copied().cycle();
        for (gap, time) in calls {
            // No call makes more attempts than this.
            let most = 10_000;
            model.now += gap;
            let mut shown = script.clone();
            let expected = model.call(&mut shown, time);
            let used = model.attempts.len();
            prop_assume!(used < most);
            target.acts(script.by_ref().take(used));
            let told = runtime.block_on(async {
                sleep(Duration::from_millis(gap)).await;
                target.call_within(time).await
            });
            prop_assert_eq!(target.attempts(), std::mem::take(&mut model.attempts), "{} {}", told, text);
            prop_assert_eq!(end(&told), expected, "{} {}", told, text);
            prop_assert_eq!(target.now(), model.now, "{} {}", told, text);
        }
    }
}
