// A workflow: greets, waits for an answer, and thanks for it. It survives the host.

import {
  type DaprServer, DaprWorkflowClient, HttpMethod, type WorkflowActivityContext, type WorkflowContext, WorkflowRuntime,
  WorkflowRuntimeStatus,
} from "@dapr/dapr";

const ANSWER_SECONDS = 24 * 3600;

// Effects belong into activities. An activity runs at least once, so it must be safe to repeat.
async function say(_: WorkflowActivityContext, text: string): Promise<string> {
  console.log(text);
  return text;
}

// A workflow does nothing but what its context offers: the host refuses everything else.
async function greeting(ctx: WorkflowContext, name: string): Promise<{ said: string }> {
  await ctx.callActivity(say, `Hello ${name}`);
  const answer: string = await ctx.waitForExternalEvent("answer", { timeoutInSeconds: ANSWER_SECONDS });
  return { said: await ctx.callActivity(say, `Thank you for "${answer}"`) };
}

const workflows = new DaprWorkflowClient();

/** `POST /greetings` starts one, `POST /greetings/{id}/answer` answers it, `GET /greetings/{id}` shows it. */
export function offer(server: DaprServer): void {
  new WorkflowRuntime().registerWorkflow(greeting).registerActivity(say).start();
  const post = { method: HttpMethod.POST };
  server.invoker.listen("greetings", async ({ body }) => {
    const { id, name } = JSON.parse(body ?? "{}");
    return { id: await workflows.scheduleNewWorkflow(greeting, name, id) };
  }, post);
  server.invoker.listen("greetings/:id/answer", async ({ body, params }) => {
    await workflows.raiseEvent(params?.id ?? "", "answer", JSON.parse(body ?? "{}").text);
    return { sent: true };
  }, post);
  server.invoker.listen("greetings/:id", async ({ params }) => {
    const state = await workflows.getWorkflowState(params?.id ?? "", true);
    if (!state) return new Response("no such greeting\n", { status: 404 });
    return { state: WorkflowRuntimeStatus[state.runtimeStatus], output: JSON.parse(state.serializedOutput ?? "null") };
  });
}
