// What is known of a workflow instance.

import { textOfBytes } from '../payload.js';

/** Members of the official enum, and berth's `STALLED`: the code does not fit the history. */
export const WorkflowRuntimeStatus = Object.freeze({
  RUNNING: 0, COMPLETED: 1, CONTINUED_AS_NEW: 2, FAILED: 3, CANCELED: 4, TERMINATED: 5, PENDING: 6, SUSPENDED: 7, STALLED: 8,
  0: 'RUNNING', 1: 'COMPLETED', 2: 'CONTINUED_AS_NEW', 3: 'FAILED', 4: 'CANCELED', 5: 'TERMINATED', 6: 'PENDING',
  7: 'SUSPENDED', 8: 'STALLED',
});

// The numbers are the same.
export const fromOrchestrationStatus = (value) => value;
export const toOrchestrationStatus = (value) => value;

/** Why a workflow failed. */
export class WorkflowFailureDetails {
  #failure;

  constructor(failure) {
    this.#failure = failure;
  }

  getErrorType() {
    return this.#failure.kind;
  }

  getErrorMessage() {
    return this.#failure.message;
  }

  getStackTrace() {
    return undefined;
  }
}

/** A workflow instance at one moment. */
export class WorkflowState {
  #instance;
  #withPayloads;

  constructor(instance, withPayloads = true) {
    this.#instance = instance;
    this.#withPayloads = withPayloads;
  }

  get name() {
    return this.#instance.workflow;
  }

  get instanceId() {
    return this.#instance.instanceId;
  }

  get runtimeStatus() {
    return WorkflowRuntimeStatus[this.#instance.status.toUpperCase()];
  }

  get createdAt() {
    return new Date(Number(this.#instance.createdAtMs));
  }

  get lastUpdatedAt() {
    return new Date(Number(this.#instance.updatedAtMs));
  }

  /** Not told by the host. */
  get serializedInput() {
    return undefined;
  }

  get serializedOutput() {
    const data = this.#withPayloads && this.#instance.output?.data;
    return data && data.length > 0 ? textOfBytes(data) : undefined;
  }

  get workflowFailureDetails() {
    return this.#instance.failure && new WorkflowFailureDetails(this.#instance.failure);
  }

  get customStatus() {
    return this.#instance.customStatus;
  }

  /** What it waits for, such as `activity "charge"`. */
  get waitingOn() {
    return this.#instance.waitingOn;
  }

  /** Why it is stalled. */
  get problem() {
    return this.#instance.problem;
  }
}
