// `/sagas`: the instance of an order is named after it, so that an order has one saga, whoever asks and how often.

import { DaprError, DaprWorkflowClient, type WorkflowState, WorkflowRuntimeStatus } from "@dapr/dapr";
import { Failure } from "./failure";
import { body, json } from "./http";
import * as entries from "./ledger";
import { readOrder } from "./order";
import { APPROVED, SAGA } from "./saga";

const workflows = new DaprWorkflowClient();
// Starting is idempotent: the saga that is there is the answer.
const ONCE = { reuse: "never", conflict: "use-existing" } as const;

/** Starts the saga of an order, or finds it. */
export async function start(request: Request): Promise<Response> {
  // An order without an ID could not be asked for again.
  const order = readOrder(await body(request), () => {
    throw Failure.invalid("orderId", "orderId is missing");
  });
  const instanceId = await workflows.scheduleNewWorkflow(SAGA, order, order.orderId, undefined, ONCE).catch(rethrow);
  return json(202, { instanceId }, { location: `/sagas/${instanceId}` });
}

/** How far a saga has come. */
export async function show(orderId: string): Promise<Response> {
  const found = await workflows.getWorkflowState(orderId, true).catch(rethrow);
  if (!found) throw Failure.notFound(`there is no saga of order ${orderId}`);
  return json(200, report(found));
}

/** Lets a large order go on. */
export async function approve(orderId: string): Promise<Response> {
  await workflows.raiseEvent(orderId, APPROVED, undefined, { eventId: APPROVED }).catch(rethrow);
  return json(202, { instanceId: orderId });
}

/** Asks a saga to stop and undo what it did. One that has ended stays as it is. */
export async function cancel(orderId: string): Promise<Response> {
  await workflows.cancelWorkflow(orderId, "the customer changed their mind").catch(rethrow);
  return json(202, { instanceId: orderId });
}

/** What was done in the world. */
export async function ledger(orderId: string): Promise<Response> {
  return json(200, await entries.read(orderId));
}

function report(state: WorkflowState): object {
  const failure = state.workflowFailureDetails;
  return {
    orderId: state.instanceId,
    status: WorkflowRuntimeStatus[state.runtimeStatus]?.toLowerCase(),
    step: state.customStatus ?? null,
    ...(state.serializedOutput && { result: JSON.parse(state.serializedOutput) }),
    ...(failure && { failure: { error: failure.getErrorType(), message: failure.getErrorMessage() } }),
    ...(state.problem && { problem: state.problem }),
  };
}

function rethrow(error: unknown): never {
  if (!(error instanceof DaprError)) throw error;
  switch (error.code) {
    case "not-found": throw Failure.notFound(error.detail);
    case "exists":
    case "not-allowed": throw Failure.conflict(error.detail);
    case "denied": throw new Failure(403, "denied", error.detail);
    case "invalid": throw Failure.invalid("orderId", error.detail);
    case "too-large": throw new Failure(413, "too-large", error.detail);
    default: throw Failure.unavailable(error.detail);
  }
}
