// `/sagas`: orders that are taken by a workflow.

import { DaprError, DaprWorkflowClient, WorkflowRuntimeStatus } from "@dapr/dapr";
import { Failure } from "./failure";
import { body, json } from "./http";
import { readOrder } from "./order";
import { APPROVED, SAGA } from "./saga";

const workflows = new DaprWorkflowClient();

/** Starts the saga of an order. The same order again is the same saga. */
export async function start(request: Request): Promise<Response> {
  const order = readOrder(await body(request), () => crypto.randomUUID().replaceAll("-", ""));
  await workflows.scheduleNewWorkflow(SAGA, order, order.orderId).catch((error: unknown) => {
    if (!(error instanceof DaprError && error.code === "exists")) throw understand(error);
  });
  return json(202, { orderId: order.orderId });
}

/** Shows how far it has come, and what came of it. */
export async function show(orderId: string): Promise<Response> {
  const state = await workflows.getWorkflowState(orderId, true).catch(rethrow);
  if (!state) throw Failure.notFound(`there is no saga of the order ${orderId}`);
  return json(200, {
    orderId,
    state: WorkflowRuntimeStatus[state.runtimeStatus]?.toLowerCase(),
    step: state.customStatus,
    outcome: state.serializedOutput === undefined ? undefined : JSON.parse(state.serializedOutput),
    failure: state.workflowFailureDetails?.getErrorMessage(),
  });
}

/** Lets a large order go on. */
export async function approve(orderId: string): Promise<Response> {
  await workflows.raiseEvent(orderId, APPROVED).catch(rethrow);
  return json(202, { orderId });
}

/** Cancels the saga, which then undoes what it did. */
export async function cancel(orderId: string): Promise<Response> {
  await workflows.cancelWorkflow(orderId, "the customer asked for it").catch(rethrow);
  return json(202, { orderId });
}

function understand(error: unknown): Failure {
  if (!(error instanceof DaprError)) throw error;
  if (error.code === "not-found") return Failure.notFound(error.detail);
  return Failure.unavailable(`the saga cannot be reached: ${error.detail}`);
}

function rethrow(error: unknown): never {
  throw understand(error);
}
