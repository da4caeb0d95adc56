// DaprWorkflowClient: starts workflows and looks after them.

import {
  cancel, get, purge, raiseEvent, resume, start, suspend, terminate, wait,
} from 'berth:workflow/client@0.1.0';
import { DaprError, attempt } from '../errors.js';
import { call } from '../runtime/phase.js';
import { workflows } from '../runtime/registry.js';
import { nameOf } from './names.js';
import { toPayload } from './payloads.js';
import { WorkflowState } from './state.js';

const TIMEOUT_S = 60;
const POLL_MS = 50;

const target = (instanceId) => ({ instanceId, appId: undefined });

/** The client. Its options are taken and not used: there is no sidecar to reach. */
export class DaprWorkflowClient {
  /** Starts a workflow and gives its instance ID; without one, a UUID is made. `options`: `reuse`, `conflict`, `appId`. */
  scheduleNewWorkflow(workflow, input = undefined, instanceId = undefined, startAt = undefined, options = {}) {
    const { reuse, conflict, appId } = options;
    const name = nameOf(workflows, workflow, 'workflow');
    const startAtMs = startAt === undefined ? undefined : BigInt(startAt.getTime());
    return called(`scheduleNewWorkflow of ${name}`, () => {
      return start(name, toPayload(input), { instanceId, appId, startAtMs, reuse, conflict, metadata: [] });
    });
  }

  /** The state of an instance, or nothing if there is none. */
  getWorkflowState(instanceId, getInputsAndOutputs = true) {
    return called('getWorkflowState', () => {
      const found = get(target(instanceId));
      return found && new WorkflowState(found, getInputsAndOutputs);
    });
  }

  /** Waits until an instance has begun to run. */
  async waitForWorkflowStart(instanceId, fetchPayloads = true, timeoutInSeconds = TIMEOUT_S) {
    const until = Date.now() + timeoutInSeconds * 1000;
    for (;;) {
      const found = await called('waitForWorkflowStart', () => get(target(instanceId)));
      if (!found || found.status !== 'pending') return found && new WorkflowState(found, fetchPayloads);
      if (Date.now() >= until) throw new DaprError('timeout', `${instanceId} has not begun within ${timeoutInSeconds} s`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Waits until an instance has ended; throws with the code `timeout` if it does not in time. */
  waitForWorkflowCompletion(instanceId, fetchPayloads = true, timeoutInSeconds = TIMEOUT_S) {
    return called('waitForWorkflowCompletion', () => {
      return new WorkflowState(wait(target(instanceId), BigInt(Math.ceil(timeoutInSeconds * 1000))), fetchPayloads);
    });
  }

  /** Sends an event. One with an `eventId` that the instance was sent before is dropped. */
  raiseEvent(instanceId, eventName, eventPayload = undefined, { eventId } = {}) {
    const data = toPayload(eventPayload);
    return called('raiseEvent', () => raiseEvent(target(instanceId), eventName, data, { eventId, metadata: [] }));
  }

  /** Ends an instance. `output` is kept as the reason. */
  terminateWorkflow(instanceId, output = undefined) {
    const reason = output === undefined ? '' : typeof output === 'string' ? output : JSON.stringify(output);
    return called('terminateWorkflow', () => terminate(target(instanceId), { reason, recursive: true, metadata: [] }));
  }

  /** Asks a workflow to cancel: what it waits for fails with the code `canceled`, and it can undo what it did. */
  cancelWorkflow(instanceId, reason = '') {
    return called('cancelWorkflow', () => cancel(target(instanceId), reason));
  }

  /** Removes an instance that has ended; false if there is none. */
  purgeWorkflow(instanceId) {
    return called('purgeWorkflow', () => purge(target(instanceId), { force: false, recursive: true, metadata: [] }));
  }

  suspendWorkflow(instanceId) {
    return called('suspendWorkflow', () => suspend(target(instanceId), ''));
  }

  resumeWorkflow(instanceId) {
    return called('resumeWorkflow', () => resume(target(instanceId), ''));
  }

  async stop() {}
}

const called = (name, body) => call(`workflow.${name}`, () => attempt(body));
