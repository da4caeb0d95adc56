// What an activity knows of itself.

/** Given to an activity as its first parameter. */
export class WorkflowActivityContext {
  #task;

  constructor(task) {
    this.#task = task;
  }

  getWorkflowInstanceId() {
    return this.#task.instanceId;
  }

  getWorkflowActivityId() {
    return Number(/\d+$/.exec(this.#task.taskId)?.[0] ?? 0);
  }

  get instanceId() {
    return this.#task.instanceId;
  }

  get taskId() {
    return this.#task.taskId;
  }

  /** 1 for the first attempt. */
  get attempt() {
    return this.#task.attempt;
  }

  /** The same for all attempts of this activity, and for no other activity. */
  get idempotencyKey() {
    return this.#task.idempotencyKey;
  }
}
