//! A world: one host in this process, with everything around it scripted. No socket is opened, and time passes only when
//! it is told to, or when nothing else can happen.

mod act;
mod fixed;
mod life;
mod look;

pub use act::Answer;
pub(crate) use act::Done;
pub(crate) use life::Crashed;

use crate::{Kit, Records, logs, probe::Probe};
use berth_blocks::{Caller, clock, invocation::Target};
use berth_resources::{
    AppId, Diagnostic, Origin,
    scenario::{Action, Given, Moment as CrashMoment},
};
use berth_telemetry::trace::Trace;
use fixed::Fixed;
use life::{Life, Moment};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;
use tracing::subscriber::DefaultGuard;

/// Where the clock stands unless a scenario says otherwise: 2026-01-01, so that every run sees the same.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// How much time may pass, after each step, for what is under way: messages that are tried again, activities.
const SETTLE: Duration = Duration::from_secs(60);

/// What the scenario itself asks for may take this long.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// The smallest step of the clock. Whoever waits for it sees everything happen that needs no time.
const TICK: Duration = Duration::from_millis(1);

/// One host and everything around it. It belongs to the thread that made it.
pub struct World {
    fixed: Fixed,
    life: Option<Life>,
    lives: u64,
    settle: Duration,
    _logs: DefaultGuard,
}

impl World {
    /// Makes a world in which a scenario can happen.
    ///
    /// # Errors
    /// Everything that is wrong with its documents, guests and backends.
    pub(crate) fn open(
        kit: &Kit,
        given: &Given,
        folder: &Path,
        place: &Origin,
    ) -> Result<Self, Vec<Diagnostic>> {
        let fixed = Fixed::new(kit, given, folder, place)?;
        let logs = logs::capture(&fixed.probe);
        let wall = given.clock.unwrap_or(SystemTime::UNIX_EPOCH + BEGINNING);
        let moment = Moment {
            wall,
            instant: None,
        };
        let life = Life::begin(&fixed, moment, 0)?;
        let mut world = Self {
            fixed,
            life: Some(life),
            lives: 1,
            settle: given.settle.unwrap_or(SETTLE),
            _logs: logs,
        };
        world.prepare(given)?;
        Ok(world)
    }

    fn prepare(&mut self, given: &Given) -> Result<(), Vec<Diagnostic>> {
        for (store, (values, origin)) in &given.state {
            for (key, value) in values {
                let written = self.put(store, key, value.bytes());
                written.map_err(|message| vec![crate::documents::error(origin, message)])?;
            }
        }
        self.fixed.probe.arm(&given.faults);
        Ok(())
    }

    /// Makes something happen, and whatever follows from it.
    pub(crate) fn act(&mut self, action: &Action) -> Result<Done, String> {
        match action {
            Action::Fault(faults) => {
                self.fixed.probe.arm(faults);
                return Ok(Done::Nothing);
            }
            Action::Mend => {
                self.fixed.probe.mend();
                return Ok(Done::Nothing);
            }
            Action::Crash => {
                self.reborn()?;
                self.settle()?;
                return Ok(Done::Nothing);
            }
            _ => {}
        }
        let done = self.run(async |fixed, life| act::act(fixed, life, action).await);
        let done = match done {
            Ok(done) => done?,
            Err(Crashed) => {
                self.reborn()?;
                Done::Crashed
            }
        };
        self.settle()?;
        Ok(done)
    }

    /// Lets happen whatever is under way, for as long as the scenario allows.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        let limit = self.settle;
        let mut left = limit;
        loop {
            let settled = self.run(async |fixed, _| {
                let began = Instant::now();
                look::settle(fixed, left).await;
                began.elapsed()
            });
            match settled {
                Ok(_) => return Ok(()),
                Err(Crashed) => self.reborn()?,
            }
            // A host that crashes again and again must not keep the scenario for ever.
            left /= 2;
        }
    }

    /// The host ends without a warning, and another one begins on the same backends, at the same time.
    fn reborn(&mut self) -> Result<(), String> {
        let moment = self.life.as_ref().map(Life::moment);
        let moment = moment.ok_or("the host did not start")?;
        // Before the other one begins: the clock of a thread is that of one host.
        self.life = None;
        for workflows in self.fixed.backends.workflows() {
            workflows.end_leases();
        }
        let life = Life::begin(&self.fixed, moment, self.lives).map_err(|findings| {
            let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
            format!("the host does not start again: {}", texts.join("; "))
        })?;
        self.lives += 1;
        self.life = Some(life);
        Ok(())
    }

    fn run<T>(&self, work: impl AsyncFnOnce(&Fixed, &Life) -> T) -> Result<T, Crashed> {
        let life = self.life.as_ref().ok_or(Crashed)?;
        life.run(&self.fixed, work(&self.fixed, life))
    }

    /// Does something that no fault can meet.
    fn aside<T>(
        &self,
        work: impl AsyncFnOnce(&Fixed, &Life) -> Result<T, String>,
    ) -> Result<T, String> {
        let about = self.fixed.documents.about.clone();
        let done = self.run(async |fixed, life| {
            let sites = &fixed.probe.sites;
            sites.aside(&about, work(fixed, life)).await
        });
        done.unwrap_or_else(|Crashed| Err("the host has ended".to_owned()))
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.fixed.probe
    }

    /// The host is to crash at a block call, counted from 0.
    pub(crate) fn crash_at(&self, call: usize, moment: CrashMoment) {
        self.fixed.probe.crash_at(call, moment);
    }

    /// Whether an app, or a service outside, gives canned answers.
    pub(crate) fn is_canned(&self, name: &str) -> bool {
        self.fixed.canned.has(name)
    }

    /// What happened so far.
    #[must_use]
    pub fn records(&self) -> Records {
        self.fixed.probe.journal.records()
    }

    /// The app that the scenario is about.
    #[must_use]
    pub fn about(&self) -> &AppId {
        &self.fixed.documents.about
    }
}

impl Fixed {
    /// An app of this world, by its name or the one that the scenario is about.
    fn target(&self, app: Option<&AppId>) -> Target {
        let app = app.unwrap_or(&self.documents.about);
        let apps = &self.documents.resources.apps;
        let known = apps.iter().find(|own| own.id == *app);
        Target {
            namespace: known
                .map_or(&self.documents.namespace, |own| &own.namespace)
                .clone(),
            app: app.clone(),
        }
    }

    /// The scenario in the role of an app.
    fn caller(&self, app: Option<&AppId>) -> Arc<Caller> {
        let Target { namespace, app } = self.target(app);
        Arc::new(Caller {
            namespace,
            app,
            trace: Trace::generate(),
            deadline: clock::instant() + PATIENCE,
        })
    }
}
