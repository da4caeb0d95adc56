//! Durable workflows: code that never loses its place.
//!
//! A workflow is a function of a [`Context`] and an input. It is run again from its beginning after a crash and given the same
//! answers, so it does nothing but what its context offers: the host refuses everything else. Effects belong into activities,
//! which run at least once.
//!
//! Both have typed names, by which they are registered, called and started:
//!
//! ```
//! use berth_sdk::{
//!     Result,
//!     workflow::{Activity, Context, Failure, RetryPolicy, Task, Workflow, Workflows},
//! };
//! use std::time::Duration;
//!
//! const GREETING: Workflow<String, String> = Workflow::named("greeting");
//! const SAY: Activity<String, ()> = Activity::named("say");
//!
//! fn greeting(ctx: &Context, name: String) -> Result<String, Failure> {
//!     ctx.call(SAY, &format!("Hello {name}"))?;
//!     let answer: String = ctx.event("answer").timeout(Duration::from_secs(24 * 3600)).wait()?;
//!     let patient = RetryPolicy::attempts(10).max_interval(Duration::from_secs(60));
//!     ctx.activity(SAY, &format!("Thank you for {answer}")).retry(patient).call()?;
//!     Ok(answer)
//! }
//!
//! fn say(_: &Task, text: String) -> Result<()> {
//!     println!("{text}");
//!     Ok(())
//! }
//!
//! fn workflows() -> Workflows {
//!     Workflows::new().workflow(GREETING, greeting).activity(SAY, say)
//! }
//!
//! berth_sdk::guest! { workflows: workflows }
//!
//! // Elsewhere, such as in the handler of a request:
//! fn greet(name: &str) -> Result<String> {
//!     Ok(GREETING.start(&name.to_owned()).send()?.id().to_owned())
//! }
//! # fn main() {}
//! ```

mod call;
mod client;
mod context;
mod failure;
mod retry;

pub use crate::bindings::imports::berth::workflow::{
    client::{ConflictPolicy, ReusePolicy, Status},
    context::{Dispatch, Error, RetryPolicy},
    types::Failure,
};
pub use crate::bindings::workflows::exports::berth::workflow::activities::Task;
pub use call::{ActivityCall, ChildCall, EventWait, Operation, Pending};
pub use client::{Instance, ListOptions, Start, State, list};
pub use context::Context;

use crate::{Result, bindings::imports::berth::workflow::types::Payload, json};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, marker::PhantomData};

/// The name of an activity that takes an `I` and gives an `O`.
pub struct Activity<I, O>(&'static str, PhantomData<fn(I) -> O>);

/// The name of a workflow that takes an `I` and gives an `O`.
pub struct Workflow<I, O>(&'static str, PhantomData<fn(I) -> O>);

/// What both kinds of names have.
macro_rules! names {
    ($($type:ident)*) => {$(
        impl<I, O> $type<I, O> {
            /// By this name it is known in histories: it stays what it is while instances run.
            #[must_use]
            pub const fn named(name: &'static str) -> Self {
                Self(name, PhantomData)
            }

            /// The name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                self.0
            }
        }

        impl<I, O> Clone for $type<I, O> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<I, O> Copy for $type<I, O> {}
    )*};
}

names! { Activity Workflow }

type RunWorkflow = Box<dyn Fn(&Context, &Payload) -> Result<Payload, Failure> + Send + Sync>;
type RunActivity = Box<dyn Fn(&Task, &Payload) -> Result<Payload, Failure> + Send + Sync>;

/// The workflows and activities of a guest.
#[derive(Default)]
pub struct Workflows {
    workflows: BTreeMap<&'static str, RunWorkflow>,
    activities: BTreeMap<&'static str, RunActivity>,
}

impl Workflows {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A workflow under its name.
    ///
    /// # Panics
    /// There is one of this name.
    #[must_use]
    pub fn workflow<I, O, E>(
        mut self,
        name: Workflow<I, O>,
        run: impl Fn(&Context, I) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        E: Into<Failure>,
    {
        let run: RunWorkflow = Box::new(move |context, input| {
            payload(&run(context, value(input)?).map_err(Into::into)?)
        });
        let before = self.workflows.insert(name.name(), run);
        assert!(
            before.is_none(),
            "two workflows are named `{}`",
            name.name()
        );
        self
    }

    /// An activity under its name.
    ///
    /// # Panics
    /// There is one of this name.
    #[must_use]
    pub fn activity<I, O, E>(
        mut self,
        name: Activity<I, O>,
        run: impl Fn(&Task, I) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
        E: Into<Failure>,
    {
        let run: RunActivity =
            Box::new(move |task, input| payload(&run(task, value(input)?).map_err(Into::into)?));
        let before = self.activities.insert(name.name(), run);
        assert!(
            before.is_none(),
            "two activities are named `{}`",
            name.name()
        );
        self
    }
}

fn payload(value: &(impl Serialize + ?Sized)) -> Result<Payload, Failure> {
    Ok(Payload {
        data: json::write("a payload", value)?,
        content_type: Some(json::MEDIA_TYPE.to_owned()),
    })
}

fn value<T: DeserializeOwned>(payload: &Payload) -> Result<T, Failure> {
    Ok(json::read("a payload", &payload.data)?)
}

#[doc(hidden)]
pub fn names_of_workflows(workflows: &Workflows) -> Vec<String> {
    workflows
        .workflows
        .keys()
        .map(|name| (*name).to_owned())
        .collect()
}

#[doc(hidden)]
pub fn names_of_activities(workflows: &Workflows) -> Vec<String> {
    workflows
        .activities
        .keys()
        .map(|name| (*name).to_owned())
        .collect()
}

#[doc(hidden)]
pub fn run(workflows: &Workflows, name: &str, input: &Payload) -> Result<Payload, Failure> {
    match workflows.workflows.get(name) {
        Some(run) => run(&Context::new(), input),
        None => Err(Failure::unknown("workflow", name)),
    }
}

#[doc(hidden)]
pub fn run_activity(
    workflows: &Workflows,
    task: &Task,
    name: &str,
    input: &Payload,
) -> Result<Payload, Failure> {
    match workflows.activities.get(name) {
        Some(run) => run(task, input),
        None => Err(Failure::unknown("activity", name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBLE: Activity<u64, u64> = Activity::named("double");

    fn workflows() -> Workflows {
        Workflows::new().activity(DOUBLE, |task: &Task, number: u64| -> Result<u64, Failure> {
            match number {
                0 => Err(Failure::new("zero", "nothing to double").last()),
                _ => Ok(number * 2 * u64::from(task.attempt)),
            }
        })
    }

    fn task() -> Task {
        Task {
            instance_id: "i".to_owned(),
            app_id: "a".to_owned(),
            task_id: "1".to_owned(),
            attempt: 1,
            idempotency_key: "k".to_owned(),
            metadata: Vec::new(),
        }
    }

    fn double(name: &str, input: &str) -> Result<String, Failure> {
        let input = Payload {
            data: input.as_bytes().to_vec(),
            content_type: None,
        };
        let output = run_activity(&workflows(), &task(), name, &input)?;
        Ok(String::from_utf8_lossy(&output.data).into_owned())
    }

    #[test]
    fn an_activity_takes_and_gives_values() {
        assert_eq!(double("double", "21").expect("a number"), "42");
        assert_eq!(names_of_activities(&workflows()), ["double"]);
    }

    #[test]
    fn what_fails_says_whether_another_attempt_may_help() {
        let failure = double("double", "0").expect_err("zero");
        assert_eq!(
            (failure.kind.as_str(), failure.non_retryable),
            ("zero", true)
        );
        let failure = double("double", "\"x\"").expect_err("no number");
        assert_eq!(
            (failure.kind.as_str(), failure.non_retryable),
            ("malformed", true)
        );
        let failure = double("treble", "1").expect_err("no such activity");
        assert!(failure.message.contains("treble"), "{failure:?}");
    }

    #[test]
    #[should_panic(expected = "two activities are named `double`")]
    fn a_name_is_taken_once() {
        let _ = workflows().activity(DOUBLE, |_: &Task, n: u64| -> Result<u64, Failure> { Ok(n) });
    }
}
