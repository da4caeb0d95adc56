"""A workflow: greets, waits for an answer, and thanks for it. It survives the host."""

import json
from datetime import timedelta

from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse
from dapr.ext.workflow import DaprWorkflowClient, DaprWorkflowContext, WorkflowActivityContext, WorkflowRuntime

ANSWER = timedelta(days=1)

runtime = WorkflowRuntime()
workflows = DaprWorkflowClient()


# Effects belong into activities. An activity runs at least once, so it must be safe to repeat.
@runtime.activity
def say(ctx: WorkflowActivityContext, text: str) -> str:
    print(text)
    return text


# A workflow does nothing but what its context offers: the host refuses everything else.
@runtime.workflow
def greeting(ctx: DaprWorkflowContext, name: str):
    yield ctx.call_activity(say, input=f"Hello {name}")
    answer = yield ctx.wait_for_external_event("answer", timeout=ANSWER)
    said = yield ctx.call_activity(say, input=f'Thank you for "{answer}"')
    return {"said": said}


def offer(app: App) -> None:
    """`POST /greetings` starts one, `POST /greetings/{id}/answer` answers it, `GET /greetings/{id}` shows it."""
    runtime.start()

    @app.method("greetings")
    def start(request: InvokeMethodRequest) -> str:
        asked = json.loads(request.text())
        instance_id = workflows.schedule_new_workflow(greeting, input=asked["name"], instance_id=asked.get("id"))
        return json.dumps({"id": instance_id})

    @app.method("greetings/{id}/answer")
    def answer(request: InvokeMethodRequest) -> str:
        workflows.raise_workflow_event(request.params["id"], "answer", data=json.loads(request.text())["text"])
        return json.dumps({"sent": True})

    @app.method("greetings/{id}")
    def show(request: InvokeMethodRequest) -> InvokeMethodResponse:
        state = workflows.get_workflow_state(request.params["id"])
        if state is None:
            return InvokeMethodResponse("no such greeting\n", "text/plain", status_code=404)
        shown = {"state": state.runtime_status.name, "output": json.loads(state.serialized_output or "null")}
        return InvokeMethodResponse(json.dumps(shown), "application/json")
