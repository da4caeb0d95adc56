//! A world as Rust tests use it.

use crate::{Answer, Kit, Problem, World, journal::readable};
use berth_resources::{
    Origin,
    scenario::{
        Action, Fault, Given, Instance, Payload, Publish, RequestSpec, Start, StoreName,
        read_test_text,
    },
};
use serde_json::Value;
use std::{path::Path, time::Duration};

/// Why something cannot be done, or does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A workflow instance.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowInstance {
    /// Such as `RUNNING`.
    pub status: &'static str,
    /// Its result, once it completed.
    pub output: Option<Value>,
    /// Why it failed: kind and message.
    pub failure: Option<(String, String)>,
}

impl World {
    /// A world with one guest, on backends with the names that `berth run GUEST.wasm` gives: `statestore`, `pubsub`,
    /// `secretstore`.
    ///
    /// # Errors
    /// The guest cannot run.
    pub fn of(kit: &Kit, guest: &Path) -> Result<Self, Error> {
        let given = Given {
            guest: Some((guest.to_owned(), Origin::file(guest))),
            ..Given::default()
        };
        Self::with(kit, &given)
    }

    /// A world as the documents of a folder describe it.
    ///
    /// # Errors
    /// Everything that is wrong with documents and guests.
    pub fn of_documents(kit: &Kit, folder: &Path) -> Result<Self, Error> {
        let given = Given {
            resources: Some(vec![(folder.to_owned(), Origin::file(folder))]),
            ..Given::default()
        };
        Self::with(kit, &given)
    }

    /// A world as the `given` of a scenario describes it, in YAML; paths in it start at the working directory.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn given(kit: &Kit, yaml: &str) -> Result<Self, Error> {
        let indented: String = yaml.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!("given:\n{indented}scenarios: [{{ name: test }}]\n");
        let told = |findings: Vec<berth_resources::Diagnostic>| {
            let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
            Error(texts.join("\n"))
        };
        let file = read_test_text(Path::new("given.test.yaml"), &text).map_err(told)?;
        let given = file.scenarios.into_iter().next().map(|own| own.given);
        Self::with(kit, &given.unwrap_or_default())
    }

    fn with(kit: &Kit, given: &Given) -> Result<Self, Error> {
        let place = Origin::defaults();
        Self::open(kit, given, Path::new("."), &place).map_err(|findings| {
            let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
            Error(texts.join("\n"))
        })
    }

    fn happen(&mut self, action: Action) -> Result<Option<Answer>, Error> {
        match self.act(&action)? {
            crate::world::Done::Answer(answer) => Ok(Some(answer)),
            _ => Ok(None),
        }
    }

    /// Sends a request from outside, with a JSON body if there is one. What follows from it happens before this returns.
    ///
    /// # Errors
    /// It is no request, or the host ended before it answered.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        json: Option<&Value>,
    ) -> Result<Answer, Error> {
        let request = RequestSpec {
            app: None,
            caller: None,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: json.cloned().map(Payload::Json),
        };
        let answer = self.happen(Action::Request(request))?;
        answer.ok_or_else(|| Error("there was no answer: the host ended".to_owned()))
    }

    /// Publishes a message, and lets it be handled.
    ///
    /// # Errors
    /// It cannot be published.
    pub fn publish(&mut self, pubsub: &str, topic: &str, data: &Value) -> Result<(), Error> {
        let message = Publish {
            pubsub: Some(pubsub.to_owned()),
            topic: topic.to_owned(),
            data: Payload::Json(data.clone()),
            id: None,
            metadata: Vec::new(),
            raw: false,
            caller: None,
            times: 1,
        };
        self.happen(Action::Publish(message)).map(drop)
    }

    /// Starts a workflow, and lets it do what it can without time passing.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&mut self, workflow: &str, id: &str, input: &Value) -> Result<(), Error> {
        let start = Start {
            workflow: workflow.to_owned(),
            instance: Instance {
                app: None,
                id: id.to_owned(),
            },
            input: Payload::Json(input.clone()),
        };
        self.happen(Action::Start(start)).map(drop)
    }

    /// Sends an external event to a workflow instance.
    ///
    /// # Errors
    /// There is no such instance.
    pub fn raise(&mut self, id: &str, event: &str, data: &Value) -> Result<(), Error> {
        let instance = Instance {
            app: None,
            id: id.to_owned(),
        };
        let raise = Action::Raise {
            instance,
            event: event.to_owned(),
            data: Payload::Json(data.clone()),
        };
        self.happen(raise).map(drop)
    }

    /// Lets time pass: everything that is due happens, in its order.
    ///
    /// # Errors
    /// The host does not survive it.
    pub fn pass(&mut self, time: Duration) -> Result<(), Error> {
        self.happen(Action::Pass(time)).map(drop)
    }

    /// From now on something goes wrong.
    pub fn fault(&mut self, fault: Fault) {
        self.probe().arm(&[fault]);
    }

    /// The host ends without a warning, and another one begins on the same backends.
    ///
    /// # Errors
    /// It does not start again.
    pub fn crash(&mut self) -> Result<(), Error> {
        self.happen(Action::Crash).map(drop)
    }

    /// A value that the app has stored: JSON, or a text; `None`: there is none.
    ///
    /// # Errors
    /// There is no such store.
    pub fn state(&self, store: &str, key: &str) -> Result<Option<Value>, Error> {
        let store = StoreName {
            app: None,
            name: store.to_owned(),
        };
        Ok(self.get(&store, key)?)
    }

    /// Stores a value for the app.
    ///
    /// # Errors
    /// There is no such store.
    pub fn set_state(&self, store: &str, key: &str, value: &Value) -> Result<(), Error> {
        let store = StoreName {
            app: None,
            name: store.to_owned(),
        };
        let bytes = match value {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        };
        Ok(self.put(&store, key, bytes)?)
    }

    /// A workflow instance of the app.
    ///
    /// # Errors
    /// There is none.
    pub fn workflow(&self, id: &str) -> Result<WorkflowInstance, Error> {
        let Some(found) = self.instance(None, id)? else {
            return Err(Error(format!("there is no workflow `{id}`")));
        };
        let outcome = found.view.outcome;
        Ok(WorkflowInstance {
            status: found.view.row.state.status.name(),
            output: match &outcome {
                Some(Ok(payload)) => Some(readable(&payload.data)),
                _ => None,
            },
            failure: match outcome {
                Some(Err(failure)) => Some((failure.kind, failure.message)),
                _ => None,
            },
        })
    }

    /// The data of what guests published to a topic, in its order.
    #[must_use]
    pub fn published(&self, pubsub: &str, topic: &str) -> Vec<Value> {
        let records = self.records();
        let meant = records
            .published
            .iter()
            .filter(|message| message.pubsub == pubsub && message.topic == topic);
        meant.map(crate::PublishedMessage::data).collect()
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self(problem.to_string())
    }
}
