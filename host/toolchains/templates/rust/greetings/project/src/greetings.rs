//! A workflow: greets, waits for an answer, and thanks for it. It survives the host.

use berth_sdk::{
    Error, Kind, Result,
    http::{Json, Request, RequestExt, Router},
    workflow::{Activity, Context, Failure, Instance, Task, Workflow, Workflows},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

const GREETING: Workflow<String, Said> = Workflow::named("greeting");
const SAY: Activity<String, String> = Activity::named("say");
const ANSWER: &str = "answer";
const ANSWER_TIME: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
struct Greeted {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Answer {
    text: String,
}

#[derive(Serialize)]
struct Said {
    said: String,
}

pub fn workflows() -> Workflows {
    Workflows::new().workflow(GREETING, greeting).activity(SAY, say)
}

/// `POST /greetings` starts one, `POST /greetings/{id}/answer` answers it, `GET /greetings/{id}` shows it.
pub fn routes() -> Router {
    Router::new()
        .post("/greetings", start)
        .post("/greetings/{id}/answer", answer)
        .get("/greetings/{id}", show)
}

// A workflow does nothing but what its context offers: the host refuses everything else.
fn greeting(ctx: &Context, name: String) -> Result<Said, Failure> {
    ctx.call(SAY, &format!("Hello {name}"))?;
    let answer: String = ctx.event(ANSWER).timeout(ANSWER_TIME).wait()?;
    let said = ctx.call(SAY, &thanks(&answer))?;
    Ok(Said { said })
}

// Effects belong into activities. An activity runs at least once, so it must be safe to repeat.
fn say(_: &Task, text: String) -> Result<String> {
    println!("{text}");
    Ok(text)
}

fn thanks(answer: &str) -> String {
    format!("Thank you for \"{answer}\"")
}

fn start(request: Request) -> Result<Json<Value>> {
    let Greeted { id, name } = request.json()?;
    let greeting = GREETING.start(&name).id(id).send()?;
    Ok(Json(json!({ "id": greeting.id() })))
}

fn answer(request: Request) -> Result<Json<Value>> {
    let Answer { text } = request.json()?;
    Instance::of(request.param("id")).raise(ANSWER, &text)?;
    Ok(Json(json!({ "sent": true })))
}

fn show(request: Request) -> Result<Json<Value>> {
    let state = Instance::of(request.param("id")).state()?;
    let state = state.ok_or_else(|| Error::new(Kind::NotFound, "no such greeting"))?;
    let output = state.read_output::<Value>().ok();
    Ok(Json(json!({ "state": state.status.to_string(), "output": output })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_thanked_for() {
        assert_eq!(thanks("hi"), "Thank you for \"hi\"");
    }
}
