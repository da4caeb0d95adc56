//! One simulated story: hosts on one store, clients, faults, and what must hold at the end.

use crate::{
    checks,
    clients::{chaos, client, courier},
    disk::Disk,
    faults::{FaultRates, FaultyStore, Mutation, Watch},
    guest::{Code, Guests, Ledger},
    program::Program,
    rng::Rng,
    world::{HostPlatform, Life, OUTSIDE, World},
};
use berth_blocks::workflow::{InstanceKey, InstanceState, Status};
use berth_resources::{AppId, Namespace};
use berth_workflow::{Config, Engine, WorkflowError};
use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// What a client does with its instance besides starting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    Plain,
    Suspend,
    Terminate,
    Cancel,
}

/// An instance that a client started.
#[derive(Debug, Clone)]
pub struct Root {
    pub key: InstanceKey,
    pub program: Program,
    pub plan: Plan,
}

/// How a story is told.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub faults: bool,
    pub mutation: Mutation,
    /// Crashes, one after the other, each at the `count`th time that a place is reached.
    pub crash_at: [Option<(&'static str, u64)>; 2],
    /// After each crash the store is away, too.
    pub outages: bool,
    /// How far the clocks of the hosts are apart at most, in milliseconds.
    pub skew: u64,
}

impl Options {
    pub const CALM: Self = Self {
        faults: false,
        mutation: Mutation::None,
        crash_at: [None; 2],
        outages: false,
        skew: 0,
    };
    pub const FAULTY: Self = Self {
        faults: true,
        skew: 1_000,
        ..Self::CALM
    };
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub violations: Vec<String>,
    pub crashes: u64,
    pub faults: u64,
    pub executions: usize,
    pub reached: BTreeMap<&'static str, u64>,
    /// Every instance and its history as stored, before all was purged.
    pub histories: Vec<(InstanceKey, InstanceState, Vec<Bytes>)>,
}

/// Everything that a story consists of.
pub struct Story {
    pub world: World,
    pub disk: Disk,
    pub ledger: Arc<Mutex<Ledger>>,
    pub watch: Arc<Mutex<Watch>>,
    pub code: Arc<Mutex<Code>>,
    rates: Arc<Mutex<FaultRates>>,
    mutation: Mutation,
    outages: bool,
    hosts: Vec<Arc<Host>>,
    crashes: AtomicU64,
}

/// A host, which lives again after each crash.
struct Host {
    apps: Vec<AppId>,
    skew: i64,
    config: Config,
    /// Its present life, when it is ready.
    engine: Mutex<Option<(Life, Arc<Engine>)>>,
    life: AtomicU64,
}

fn app(name: &str) -> AppId {
    name.parse().unwrap()
}

pub fn key(id: &str) -> InstanceKey {
    InstanceKey::new(Namespace::default(), app("app"), id)
}

impl Story {
    pub fn new(seed: u64, options: Options, disk: Disk) -> Arc<Self> {
        let world = World::new(seed);
        // One host alone is told of every message and does not look for any.
        let alone = seed.is_multiple_of(4);
        let apps: &[&[&str]] = match alone {
            true => &[&["app", "left", "right"]],
            false => &[&["app", "left"], &["app", "right"]],
        };
        let hosts = apps.iter().map(|apps| {
            let mut config = world.with_rng(config);
            if alone {
                config.inbox_interval = None;
            }
            Arc::new(Host {
                apps: apps.iter().map(|name| app(name)).collect(),
                skew: match options.skew {
                    0 => 0,
                    apart => world.with_rng(|rng| {
                        i64::try_from(rng.below(apart + 1)).unwrap()
                            - i64::try_from(apart / 2).unwrap()
                    }),
                },
                config,
                engine: Mutex::new(None),
                life: AtomicU64::new(0),
            })
        });
        let hosts = hosts.collect();
        for (place, count) in options.crash_at.into_iter().flatten() {
            world.crash_at(place, count);
        }
        let story = Arc::new(Self {
            world,
            disk,
            ledger: Arc::default(),
            watch: Arc::default(),
            code: Arc::new(Mutex::new(Code::Faithful)),
            rates: Arc::default(),
            mutation: options.mutation,
            outages: options.outages,
            hosts,
            crashes: AtomicU64::new(0),
        });
        for host in &story.hosts {
            story
                .world
                .spawn(OUTSIDE, Box::pin(supervise(story.clone(), host.clone())));
        }
        story
    }

    /// The code of all programs.
    pub fn guests(&self, apps: Vec<AppId>) -> Guests {
        Guests {
            world: self.world.clone(),
            apps,
            ledger: self.ledger.clone(),
            disk: self.disk.clone(),
            code: self.code.clone(),
        }
    }

    fn open(self: &Arc<Self>, host: &Arc<Host>, life: Life) -> BoxFuture<'static, ()> {
        let store = FaultyStore {
            disk: self.disk.clone(),
            world: self.world.clone(),
            life,
            mutation: self.mutation,
            rates: self.rates.clone(),
            watch: self.watch.clone(),
        };
        let guests = self.guests(host.apps.clone());
        let platform = HostPlatform {
            world: self.world.clone(),
            life,
            skew: host.skew,
        };
        let host = host.clone();
        Box::pin(async move {
            let config = host.config.clone();
            let opened = Engine::open(
                Arc::new(store),
                Arc::new(guests),
                Arc::new(platform),
                config,
            )
            .await;
            *host.engine.lock() = opened.ok().map(|engine| (life, Arc::new(engine)));
        })
    }

    /// Asks some host; `None`: it crashed meanwhile, or none is up.
    pub async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(Arc<Engine>) -> BoxFuture<'static, T>,
    ) -> Option<T> {
        let count = self.hosts.len() as u64;
        let place = usize::try_from(self.world.with_rng(|rng| rng.below(count))).unwrap();
        let (life, engine) = self.hosts[place].engine.lock().clone()?;
        let (reply, answer) = oneshot::channel();
        let call = call(engine);
        self.world.spawn(
            life,
            Box::pin(async move {
                drop(reply.send(call.await));
            }),
        );
        answer.await.ok()
    }

    /// Asks until an answer is final.
    pub async fn insist<T: Send + 'static>(
        &self,
        call: impl Fn(Arc<Engine>) -> BoxFuture<'static, Result<T, WorkflowError>>,
    ) -> Result<T, WorkflowError> {
        loop {
            match self.ask(&call).await {
                Some(Err(WorkflowError::Unavailable(_) | WorkflowError::Timeout(_))) | None => {
                    self.world.sleep(70).await;
                }
                Some(answer) => return answer,
            }
        }
    }

    /// Everything that has begun has ended.
    pub fn is_over(&self, roots: &[Root]) -> bool {
        let rows = self.disk.rows();
        rows.iter().all(|row| row.state.status.is_terminal())
            && roots
                .iter()
                .all(|root| rows.iter().any(|row| row.key == root.key))
    }

    pub fn begin_faults(&self, rng: &mut Rng) {
        *self.rates.lock() = FaultRates {
            refused: rng.below(30),
            unknown: rng.below(30),
            slow: rng.below(10),
        };
        let crash = if rng.chance(700) { rng.below(12) } else { 0 };
        self.world.set_crash_chance(crash);
    }

    pub fn end_faults(&self) {
        *self.rates.lock() = FaultRates::default();
        self.world.set_crash_chance(0);
    }

    /// The present life of some host.
    pub fn any_life(&self) -> Life {
        let count = self.hosts.len() as u64;
        let place = usize::try_from(self.world.with_rng(|rng| rng.below(count))).unwrap();
        self.hosts[place].life.load(Ordering::Relaxed)
    }

    /// What came of the story so far.
    pub fn report(&self) -> Report {
        let mut watch = self.watch.lock();
        let mut ledger = self.ledger.lock();
        let mut violations = std::mem::take(&mut watch.violations);
        violations.append(&mut ledger.violations);
        Report {
            violations,
            crashes: self.crashes.load(Ordering::Relaxed),
            faults: watch.faults,
            executions: ledger.executions.len(),
            reached: self.world.reached(),
            histories: Vec::new(),
        }
    }
}

fn config(rng: &mut Rng) -> Config {
    Config {
        instances_max: if rng.chance(300) {
            rng.between(2, 4) as usize
        } else {
            100
        },
        activities_max: if rng.chance(300) { 2 } else { 100 },
        lease: Duration::from_secs(rng.between(2, 6)),
        poll_interval: Duration::from_millis(rng.between(100, 1_000)),
        inbox_interval: Some(Duration::from_millis(rng.between(50, 500))),
        idle_after: Duration::from_millis(*[0, 100, 5_000].get(rng.below(3) as usize).unwrap()),
        ..Config::default()
    }
}

async fn supervise(story: Arc<Story>, host: Arc<Host>) {
    loop {
        let life = story.world.new_life();
        host.life.store(life, Ordering::Relaxed);
        let death = story.world.death(life);
        story.world.spawn(life, story.open(&host, life));
        drop(death.await);
        let engine = host.engine.lock().take();
        drop(engine);
        story.crashes.fetch_add(1, Ordering::Relaxed);
        if story.outages {
            story.world.spawn(OUTSIDE, Box::pin(outage(story.clone())));
        }
        let pause = story.world.with_rng(|rng| rng.between(1, 3_000));
        story.world.sleep(pause).await;
    }
}

/// For a while no call to the store does anything. Of two that overlap, the first to end ends both.
async fn outage(story: Arc<Story>) {
    *story.rates.lock() = FaultRates {
        refused: 1_000,
        ..FaultRates::default()
    };
    let length = story.world.with_rng(|rng| rng.between(2_000, 20_000));
    story.world.sleep(length).await;
    *story.rates.lock() = FaultRates::default();
}

/// Tells the story of a seed.
pub fn simulate(seed: u64, options: Options) -> Report {
    simulate_on(seed, options, Disk::default())
}

/// Tells the story of a seed on a store.
pub fn simulate_on(seed: u64, options: Options, disk: Disk) -> Report {
    let mut rng = Rng::new(seed ^ 0x51_3d);
    let story = Story::new(seed, options, disk);
    let roots: Vec<_> = (0..rng.between(1, 3))
        .map(|number| Root {
            key: key(&format!("root-{number}")),
            program: Program::of(rng.next(), 2),
            plan: match rng.below(20) {
                0..=2 => Plan::Suspend,
                3 => Plan::Terminate,
                4 => Plan::Cancel,
                _ => Plan::Plain,
            },
        })
        .collect();
    let begin = story.world.now();
    // Where clocks are apart, what one host makes another wait for takes longer by so much.
    let patience = Duration::from_secs(900) + Duration::from_millis(options.skew) * 10;
    let mut end = begin.after(patience);
    if options.faults {
        let until = begin.after(Duration::from_millis(rng.between(1_000, 40_000)));
        end = until.after(patience);
        story.begin_faults(&mut rng);
        story
            .world
            .spawn(OUTSIDE, Box::pin(chaos(story.clone(), until)));
    }
    let started = Arc::new(AtomicU64::new(0));
    story.world.spawn(OUTSIDE, Box::pin(courier(story.clone())));
    for root in &roots {
        story.world.spawn(
            OUTSIDE,
            Box::pin(client(story.clone(), root.clone(), started.clone())),
        );
    }
    let all = roots.len() as u64;
    // Looked at now and then, since looking at everything costs more than a step.
    let mut steps = 0_u64;
    let over = story.world.run(end, || {
        steps += 1;
        steps.is_multiple_of(64) && started.load(Ordering::Relaxed) == all && story.is_over(&roots)
    });
    story.end_faults();
    let mut violations = Vec::new();
    let histories = checks::stored(&story.disk);
    if !over {
        violations.push(format!(
            "I7: not over after {:?}",
            begin.until(story.world.now())
        ));
        violations.extend(checks::unfinished(&story));
    } else {
        checks::outcomes(&story, &roots, &mut violations);
        checks::histories(&story, &mut violations);
        checks::replays(&story, &mut violations);
        checks::executions(&story, &roots, options, &mut violations);
        purge_all(&story, &roots, &mut violations);
    }
    let mut report = story.report();
    report.violations.append(&mut violations);
    report.histories = histories;
    report
}

fn purge_all(story: &Arc<Story>, roots: &[Root], violations: &mut Vec<String>) {
    let purged = Arc::new(AtomicU64::new(0));
    for root in roots {
        let (story, key, purged) = (story.clone(), root.key.clone(), purged.clone());
        story.clone().world.spawn(
            OUTSIDE,
            Box::pin(async move {
                let answer = story
                    .insist(move |engine| {
                        let key = key.clone();
                        Box::pin(async move { engine.purge(&key, false, true).await })
                    })
                    .await;
                if answer.is_ok() {
                    purged.fetch_add(1, Ordering::Relaxed);
                }
            }),
        );
    }
    let end = story.world.now().after(Duration::from_secs(120));
    let all = roots.len() as u64;
    if !story
        .world
        .run(end, || purged.load(Ordering::Relaxed) == all)
    {
        violations.push("I8: not purged".to_owned());
        return;
    }
    let left = story.disk.counts();
    if left != Default::default() {
        violations.push(format!("I8: a purge left {left:?}"));
    }
}

/// Whether a status is the right one for a plan.
pub fn fits(plan: Plan, status: Status) -> bool {
    match plan {
        Plan::Plain | Plan::Suspend => status == Status::Completed,
        Plan::Terminate => matches!(status, Status::Completed | Status::Terminated),
        Plan::Cancel => matches!(status, Status::Completed | Status::Canceled),
    }
}
