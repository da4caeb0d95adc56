// The guest's exports for workflows.

import { enterService } from '../runtime/phase.js';
import { activities as activityBodies, workflows as workflowBodies } from '../runtime/registry.js';
import { WorkflowActivityContext } from '../workflow/activity-context.js';
import { WorkflowContext } from '../workflow/context.js';
import { drive } from '../workflow/drive.js';
import { fromPayload, toPayload } from '../workflow/payloads.js';

export const workflows = {
  run(name, input) {
    return run(workflowBodies, 'workflow', name, (body) => drive(body, new WorkflowContext(), fromPayload(input)));
  },
};

export const activities = {
  run(task, name, input) {
    return run(activityBodies, 'activity', name, (body) => body(new WorkflowActivityContext(task), fromPayload(input)));
  },
};

export const registry = {
  workflows() {
    enterService();
    return [...workflowBodies.keys()];
  },

  activities() {
    enterService();
    return [...activityBodies.keys()];
  },
};

async function run(bodies, kind, name, call) {
  enterService();
  const body = bodies.get(name);
  if (!body) throw failed({ kind: 'NotRegistered', message: `this guest has no ${kind} ${name}`, nonRetryable: true });
  try {
    return toPayload(await call(body));
  } catch (error) {
    throw failed(failureOf(error));
  }
}

// A failure that was caught and thrown again keeps its kind; a failed call has its code, an error of the program its name.
function failureOf(error) {
  const kind = error?.details?.errorType ?? error?.kind ?? error?.code ?? error?.name ?? 'Error';
  const message = error?.detail ?? (error instanceof Error ? error.message : error);
  return { kind: String(kind), message: String(message), nonRetryable: error?.nonRetryable === true };
}

// The engine makes an error of the WIT of `payload`.
const failed = (failure) => Object.assign(new Error(failure.message), { payload: failure });
