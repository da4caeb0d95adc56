//! One run of a scenario, from its beginning to its end.

use crate::{
    Answer, Kit, Problem, World,
    check::{check_answer, check_world},
    journal::BlockCall,
    picture::Picture,
    world::Done,
};
use berth_resources::{
    Diagnostic,
    scenario::{Action, Checks, Moment, Scenario, Step},
};
use std::path::Path;

/// How a scenario is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it is written, until something does not hold.
    Checked,
    /// The host crashes at a block call, and clients send again what got no answer. Only the outcome is looked at.
    Crashed(usize, Moment),
}

/// A scenario that came to its end.
pub(crate) struct Played {
    pub(crate) picture: Picture,
    pub(crate) calls: Vec<BlockCall>,
    pub(crate) problems: Vec<Problem>,
    /// Steps whose answer has a snapshot of its own, and that answer.
    pub(crate) world: World,
}

/// Plays a scenario. An error is one of its world: nothing could happen.
pub(crate) fn play(
    kit: &Kit,
    folder: &Path,
    scenario: &Scenario,
    mode: Mode,
) -> Result<Played, Vec<Problem>> {
    let world = World::open(kit, &scenario.given, folder, &scenario.origin);
    let world = world.map_err(|findings| findings.iter().map(problem).collect::<Vec<_>>())?;
    if let Mode::Crashed(call, moment) = mode {
        world.crash_at(call, moment);
    }
    let mut player = Player {
        world,
        mode,
        answers: Vec::new(),
        problems: Vec::new(),
    };
    player.steps(&scenario.when);
    if player.problems.is_empty() && mode == Mode::Checked {
        player.problems = check_world(&scenario.then, &player.world);
    }
    let Player {
        world,
        answers,
        mut problems,
        ..
    } = player;
    let picture = Picture::of(&world, &answers).unwrap_or_else(|message| {
        problems.push(Problem::new(&scenario.origin, message));
        Picture::default()
    });
    Ok(Played {
        picture,
        calls: world.records().calls,
        problems,
        world,
    })
}

struct Player {
    world: World,
    mode: Mode,
    answers: Vec<Answer>,
    problems: Vec<Problem>,
}

impl Player {
    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            // What follows rests on what does not hold.
            if !self.problems.is_empty() {
                return;
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let mut done = self.world.act(&step.action);
        if let Mode::Crashed(..) = self.mode
            && done == Ok(Done::Crashed)
        {
            // Nobody told the client that it went through.
            done = self.world.act(&step.action);
        }
        match done {
            Err(message) => self.problems.push(Problem::new(&step.origin, message)),
            Ok(done) => self.done(step, done),
        }
        if self.problems.is_empty() && self.mode == Mode::Checked {
            let problems = check_world(&step.then, &self.world);
            self.problems.extend(problems);
        }
    }

    fn done(&mut self, step: &Step, done: Done) {
        match done {
            Done::Nothing => {}
            Done::Crashed => {
                if step.then.is_about_answer() {
                    let message = "there was no answer: the host ended";
                    self.problems.push(Problem::new(&step.origin, message));
                }
            }
            Done::Answer(answer) => self.answer(&step.then, answer),
            Done::Together(all) => {
                let Action::Together(steps) = &step.action else {
                    return;
                };
                for (step, done) in steps.iter().zip(all) {
                    match done {
                        Err(message) => self.problems.push(Problem::new(&step.origin, message)),
                        Ok(done) => self.done(step, done),
                    }
                }
            }
        }
    }

    fn answer(&mut self, checks: &Checks, answer: Answer) {
        if self.mode == Mode::Checked {
            self.problems.extend(check_answer(checks, &answer));
        }
        self.answers.push(answer);
    }
}

/// A finding about documents or guests, as what does not hold of the scenario that needs them.
fn problem(finding: &Diagnostic) -> Problem {
    let problem = Problem::new(&finding.origin, finding.message.clone());
    problem.with(finding.hint.iter().map(|hint| format!("hint: {hint}")))
}
