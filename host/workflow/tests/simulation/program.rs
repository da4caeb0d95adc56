//! Random workflows: a program, and what it must give, are functions of a seed alone.

use crate::rng::{Rng, mix};

/// One step of a program. Numbers name activities within the program.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Activity(Call),
    Timer {
        millis: u64,
    },
    /// Activities side by side: all are awaited.
    Fan(Vec<Call>),
    /// The first that ends is awaited, then the others: the result must not depend on which it was.
    Race(Vec<Call>),
    /// Waits for an event that a client raises.
    Event {
        name: String,
    },
    /// Waits for an event that never comes.
    Silence {
        millis: u64,
    },
    Child(Box<Program>),
    Patch {
        id: String,
    },
    /// The rest runs with an empty history.
    ContinueAsNew,
}

/// A call of an activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub number: u64,
    /// Attempts that fail before one succeeds.
    pub failures: u32,
    /// It fails for good.
    pub fatal: bool,
    /// The first attempt never ends by itself.
    pub hangs: bool,
    pub queued: bool,
    pub intent: bool,
    /// Another app runs it.
    pub app: Option<&'static str>,
    /// Bytes that it returns besides its number.
    pub weight: usize,
    /// How long it takes.
    pub millis: u64,
}

/// A workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub seed: u64,
    /// Levels of children below it.
    pub depth: u32,
    pub steps: Vec<Step>,
}

impl Program {
    /// The program of a seed; children are up to `depth` levels deep.
    pub fn of(seed: u64, depth: u32) -> Self {
        let mut rng = Rng::new(seed);
        let count = rng.between(1, 7);
        let mut number = 0;
        let steps = (0..count)
            .map(|_| step(&mut rng, depth, &mut number))
            .collect();
        Self { seed, depth, steps }
    }

    /// What it returns.
    pub fn expected(&self) -> u64 {
        self.steps
            .iter()
            .zip(0..)
            .fold(self.seed, |acc, (step, place)| {
                mix(acc ^ self.expected_of(step, place))
            })
    }

    fn expected_of(&self, step: &Step, place: u64) -> u64 {
        match step {
            Step::Activity(call) => call.value(),
            Step::Fan(calls) | Step::Race(calls) => {
                calls.iter().fold(0, |sum, call| mix(sum ^ call.value()))
            }
            Step::Event { name } => event_value(self.seed, name, self.events_before(name, place)),
            Step::Child(child) => child.expected(),
            Step::Timer { .. } => 1,
            Step::Silence { .. } => 2,
            Step::Patch { .. } => 3,
            Step::ContinueAsNew => 4,
        }
    }

    /// Waits for this event in earlier steps.
    pub fn events_before(&self, name: &str, place: u64) -> u64 {
        let steps = self
            .steps
            .iter()
            .zip(0..)
            .take_while(|(_, other)| *other < place);
        steps
            .filter(|(step, _)| matches!(step, Step::Event { name: other } if other == name))
            .count() as u64
    }

    /// Events that it waits for, in order: name and value.
    pub fn events(&self) -> Vec<(String, u64)> {
        let mut events = Vec::new();
        for (step, place) in self.steps.iter().zip(0..) {
            if let Step::Event { name } = step {
                let value = event_value(self.seed, name, self.events_before(name, place));
                events.push((name.clone(), value));
            }
        }
        events
    }

    /// Activities of this program alone, with the number of attempts each takes when nothing goes wrong.
    pub fn calls(&self) -> Vec<&Call> {
        let mut all = Vec::new();
        for step in &self.steps {
            match step {
                Step::Activity(call) => all.push(call),
                Step::Fan(calls) | Step::Race(calls) => all.extend(calls),
                _ => {}
            }
        }
        all
    }
}

impl Call {
    /// What it contributes.
    pub fn value(&self) -> u64 {
        if self.fatal { 0xdead } else { mix(self.number) }
    }

    pub fn attempts(&self) -> u32 {
        1 + u32::from(self.hangs) + if self.fatal { 0 } else { self.failures }
    }
}

/// What the `count`th event of a name carries.
pub fn event_value(seed: u64, name: &str, count: u64) -> u64 {
    let name = name.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
    mix(seed ^ name ^ count)
}

fn step(rng: &mut Rng, depth: u32, number: &mut u64) -> Step {
    match rng.below(20) {
        0..=7 => Step::Activity(call(rng, number)),
        8 => Step::Timer {
            millis: rng.between(0, 3_000),
        },
        9 | 10 => Step::Fan((0..rng.between(0, 5)).map(|_| call(rng, number)).collect()),
        11 => Step::Race((0..rng.between(1, 4)).map(|_| call(rng, number)).collect()),
        12 | 13 => Step::Event {
            name: format!("event-{}", rng.below(2)),
        },
        14 => Step::Silence {
            millis: rng.between(0, 2_000),
        },
        15 | 16 if depth > 0 => Step::Child(Box::new(Program::of(rng.next(), depth - 1))),
        17 => Step::Patch {
            id: format!("patch-{}", rng.below(3)),
        },
        18 => Step::ContinueAsNew,
        _ => Step::Activity(call(rng, number)),
    }
}

fn call(rng: &mut Rng, number: &mut u64) -> Call {
    *number += 1;
    Call {
        number: *number,
        failures: if rng.chance(150) {
            1 + u32::try_from(rng.below(3)).unwrap()
        } else {
            0
        },
        fatal: rng.chance(60),
        hangs: rng.chance(40),
        queued: rng.chance(150),
        intent: rng.chance(150),
        app: [None, Some("left"), Some("right")][if rng.chance(150) {
            rng.between(1, 2) as usize
        } else {
            0
        }],
        weight: if rng.chance(40) { 70_000 } else { 0 },
        millis: if rng.chance(30) {
            rng.between(1_000, 20_000)
        } else {
            rng.below(40)
        },
    }
}
