// What a workflow can do.

import {
  continueAsNew, instanceId, isReplaying, nowMs, patched, random, scheduleActivity, scheduleChild, scheduleEvent,
  scheduleTimer, setCustomStatus, uuid,
} from 'berth:workflow/context@0.1.0';
import { attempt } from '../errors.js';
import { activities, workflows } from '../runtime/registry.js';
import { nameOf } from './names.js';
import { fromPayload, toPayload } from './payloads.js';
import { OperationTask, Scheduler, WhenAllTask, WhenAnyTask } from './task.js';

const milliseconds = (number) => BigInt(Math.max(0, Math.ceil(number)));
const optionalMilliseconds = (number) => (number === undefined ? undefined : milliseconds(number));

/** Given to a workflow as its first parameter. */
export class WorkflowContext {
  #scheduler = new Scheduler();

  get instanceId() {
    return instanceId();
  }

  getWorkflowInstanceId() {
    return instanceId();
  }

  /** The time of the last thing that the workflow was given: the same in every replay. `Date` gives it, too. */
  getCurrentUtcDateTime() {
    return new Date(Number(nowMs()));
  }

  isReplaying() {
    return isReplaying();
  }

  /** Ends at a time, or after a number of seconds. */
  createTimer(fireAt) {
    const ms = fireAt instanceof Date ? fireAt.getTime() - Number(nowMs()) : fireAt * 1000;
    return this.#begin(() => scheduleTimer(milliseconds(ms)), () => undefined);
  }

  /** One attempt, unless the options have a retry policy: Dapr's default, and not that of the WIT. */
  callActivity(activity, input = undefined, options = {}) {
    const name = nameOf(activities, activity, 'activity');
    return this.#begin(() => scheduleActivity(name, toPayload(input), activityOptions(options)));
  }

  callChildWorkflow(workflow, input = undefined, instance = undefined, options = {}) {
    const name = nameOf(workflows, workflow, 'workflow');
    return this.#begin(() => scheduleChild(name, toPayload(input), childOptions(instance, options)));
  }

  callSubWorkflow(workflow, input = undefined, instance = undefined, options = {}) {
    return this.callChildWorkflow(workflow, input, instance, options);
  }

  /** Ends with the next event of this name; with `timeoutInSeconds`, fails with the code `timeout` if none comes in time. */
  waitForExternalEvent(name, { timeoutInSeconds } = {}) {
    const timeoutMs = timeoutInSeconds === undefined ? undefined : milliseconds(timeoutInSeconds * 1000);
    return this.#begin(() => scheduleEvent(name, { timeoutMs, metadata: [] }));
  }

  continueAsNew(newInput, saveEvents = false) {
    attempt(() => continueAsNew(toPayload(newInput), { keepEvents: saveEvents, metadata: [] }));
  }

  setCustomStatus(status) {
    attempt(() => setCustomStatus(typeof status === 'string' ? status : JSON.stringify(status)));
  }

  whenAll(tasks) {
    return new WhenAllTask(tasks);
  }

  whenAny(tasks) {
    return new WhenAnyTask(tasks);
  }

  /** Whether changed code takes its new path: false for instances that had passed this place before the change. */
  isPatched(id) {
    return attempt(() => patched(id));
  }

  /** A UUID that is the same in every replay. */
  newGuid() {
    return uuid();
  }

  /** Random bytes that are the same in every replay. */
  randomBytes(count) {
    return attempt(() => random(count));
  }

  /** The workflow has returned. */
  end() {
    this.#scheduler.stop();
  }

  #begin(schedule, decode = fromPayload) {
    return new OperationTask(this.#scheduler, attempt(schedule), decode);
  }
}

function activityOptions({ retry, startToCloseMs, appId, dispatch, recordIntent = false, metadata }) {
  return {
    retry: retryPolicy(retry ?? { maxAttempts: 1 }),
    startToCloseMs: optionalMilliseconds(startToCloseMs),
    appId,
    dispatch,
    recordIntent,
    metadata: Object.entries(metadata ?? {}),
  };
}

function childOptions(instance, { retry, appId, metadata }) {
  return { instanceId: instance, appId, retry: retry && retryPolicy(retry), metadata: Object.entries(metadata ?? {}) };
}

function retryPolicy({ maxAttempts = 0, firstIntervalMs = 0, backoff = 0, maxIntervalMs, totalTimeoutMs, nonRetryable }) {
  return {
    maxAttempts,
    firstIntervalMs: milliseconds(firstIntervalMs),
    backoff,
    maxIntervalMs: optionalMilliseconds(maxIntervalMs),
    totalTimeoutMs: optionalMilliseconds(totalTimeoutMs),
    nonRetryable: nonRetryable ?? [],
  };
}
