//! Timers, events and places.

use crate::lab::{Lab, ended, key};
use berth_blocks::workflow::Status;
use berth_workflow::{Config, EventKind, Payload, WorkflowEnd};
use std::time::Duration;

/// Timers of one workflow: as many as it may have.
const COUNT: u64 = 10_000;

#[test]
fn timers_that_are_due_together_fire_in_the_order_of_their_due_times() {
    let lab = Lab::new();
    lab.code.workflow("timers", |context, _| async move {
        let timers: Result<Vec<_>, _> = (0..COUNT)
            .map(|number| context.schedule_timer(Duration::from_secs(600 + (number * 7) % 50)))
            .collect();
        match timers {
            Ok(timers) => context.wait_all(&timers).await,
            Err(_) => std::future::pending().await,
        }
        WorkflowEnd::Completed(Payload::default())
    });
    let host = lab.host();
    lab.start(&host, "a", "timers", "1");
    lab.pass(Duration::from_secs(1));
    lab.kill(host);
    // All of them are due when somebody comes.
    lab.pass(Duration::from_secs(3_600));
    let host = lab.host();
    assert_eq!(lab.outcome(&host, "a").0, Status::Completed);
    let history = lab.history("a");
    let due = |seq: u64| match history[seq as usize].kind {
        EventKind::TimerCreated { due } => (due, seq),
        _ => panic!("{seq} is no timer"),
    };
    let fired: Vec<_> = history
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::TimerFired { of } => Some(due(of)),
            _ => None,
        })
        .collect();
    assert!(fired.len() as u64 == COUNT && fired.is_sorted());
}

/// An instance that waits costs one row, and nothing of a host.
#[test]
fn more_instances_wait_than_a_host_has_places() {
    let lab = Lab::new();
    let lab = Lab {
        config: Config {
            instances_max: 3,
            idle_after: Duration::from_secs(1),
            ..lab.config
        },
        ..lab
    };
    lab.code.workflow("waits", |context, _| async move {
        let sleep = context.schedule_timer(Duration::from_secs(30));
        let event = context.schedule_event("go", Some(Duration::from_secs(3_600)));
        match (sleep, event) {
            (Ok(sleep), Ok(event)) => {
                context.wait(sleep).await.ok();
                ended(context.wait(event).await)
            }
            _ => std::future::pending().await,
        }
    });
    let host = lab.host();
    let ids: Vec<_> = (0..30).map(|number| format!("i{number}")).collect();
    for id in &ids {
        lab.start(&host, id, "waits", "1");
    }
    lab.pass(Duration::from_secs(120));
    assert!(
        lab.disk
            .rows()
            .iter()
            .all(|row| row.owner.is_none() && row.state.waiting.is_some())
    );
    assert_eq!(host.engine.owned(), []);
    let engine = host.engine.clone();
    lab.outside(async move {
        for id in ids {
            engine
                .raise_event(&key(&id), "GO", Payload::json(format!("\"{id}\"")), None)
                .await
                .unwrap();
        }
    });
    for number in 0..30 {
        let id = format!("i{number}");
        assert_eq!(
            lab.outcome(&host, &id),
            (Status::Completed, format!("\"{id}\""))
        );
    }
}

#[test]
fn a_timer_and_an_event_race_the_same_way_in_every_replay() {
    let lab = Lab::new();
    lab.code.workflow("race", |context, _| async move {
        let timer = context.schedule_timer(Duration::from_secs(10));
        let event = context.schedule_event("go", None);
        let (Ok(timer), Ok(event)) = (timer, event) else {
            return std::future::pending().await;
        };
        let first = context.wait_any(&[timer, event]).await;
        assert_ne!(context.has_ended(timer), context.has_ended(event));
        let last = context.schedule_event("end", None);
        match last {
            Ok(last) => drop(context.wait(last).await),
            Err(_) => std::future::pending().await,
        }
        WorkflowEnd::Completed(Payload::json(format!("{first:?}")))
    });
    let host = lab.host();
    for id in ["timer", "event"] {
        lab.start(&host, id, "race", "1");
    }
    lab.pass(Duration::from_secs(5));
    let raise = |host: &crate::lab::LabHost, id: &'static str, name: &'static str| {
        let engine = host.engine.clone();
        lab.outside(async move {
            engine
                .raise_event(&key(id), name, Payload::default(), None)
                .await
        })
        .unwrap();
    };
    raise(&host, "event", "go");
    lab.pass(Duration::from_secs(10));
    raise(&host, "timer", "go");
    lab.kill(host);
    let host = lab.host();
    for id in ["timer", "event"] {
        raise(&host, id, "end");
    }
    assert_eq!(lab.outcome(&host, "timer").1, "Some(0)");
    assert_eq!(lab.outcome(&host, "event").1, "Some(1)");
}

/// Whoever takes an instance over may have another idea of the time: the workflow's own never goes back, and its timer
/// fires once.
#[test]
fn a_clock_that_jumps_moves_no_timer_twice() {
    for jump in [-600_000, 600_000] {
        let lab = Lab::new();
        lab.code.workflow("sleeps", |context, _| async move {
            let mut times = vec![context.now()];
            for _ in 0..3 {
                match context.schedule_timer(Duration::from_secs(60)) {
                    Ok(timer) => drop(context.wait(timer).await),
                    Err(_) => std::future::pending().await,
                }
                times.push(context.now());
            }
            let long = times
                .windows(2)
                .all(|pair| pair[0].until(pair[1]) >= Duration::from_secs(60));
            WorkflowEnd::Completed(Payload::json(long.to_string()))
        });
        let host = lab.host();
        lab.start(&host, "a", "sleeps", "1");
        lab.pass(Duration::from_secs(90));
        lab.kill(host);
        let host = lab.host_skewed(jump);
        assert_eq!(
            lab.outcome(&host, "a"),
            (Status::Completed, "true".to_owned())
        );
        let fired = lab.history("a");
        let fired = fired
            .iter()
            .filter(|event| matches!(event.kind, EventKind::TimerFired { .. }));
        assert_eq!(fired.count(), 3);
    }
}
