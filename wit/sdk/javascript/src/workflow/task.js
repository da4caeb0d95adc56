// What a workflow waits for.
//
// A task can be yielded (`yield ctx.callActivity(...)`) and awaited. `yield` in an `async function*` awaits by itself, so
// both come down to `then`. The calls of the WIT block until something has ended; `Scheduler` makes them wait for whatever
// ends first, so that `Promise.race` and plain async code see what they would see of ordinary promises.

import { waitAny } from 'berth:workflow/context@0.1.0';
import { DaprError, asDaprError } from '../errors.js';

// Before it blocks, a workflow is given this many turns to begin whatever it can begin without a result, or to return. It is
// the same number in every run, as everything must be that decides in which order a workflow asks for things.
const TURNS = 100;

/** An activity, a child or a workflow that failed. */
export class TaskFailedError extends Error {
  constructor(message, details) {
    super(message);
    this.name = 'TaskFailedError';
    this.details = details;
  }
}

/** Something that ends some time later. */
export class Task {
  #listeners = [];
  #outcome;
  #handedOut = false;

  get isComplete() {
    return this.#outcome !== undefined;
  }

  get isFailed() {
    return this.#outcome?.failed ?? false;
  }

  /** The result of a task that has ended; throws if it failed, or has not ended. */
  getResult() {
    if (!this.isComplete) throw new Error('the task has not ended yet');
    if (this.isFailed) throw this.#outcome.value;
    return this.#outcome.value;
  }

  /** Why a task failed. */
  getException() {
    if (!this.isFailed) throw new Error('the task has not failed');
    return this.#outcome.value;
  }

  // A promise that is given something with a `then` waits for it. The winner of whenAny is itself the result, so while it is
  // handed out it has none.
  get then() {
    if (this.#handedOut) return undefined;
    return (onResult, onFailure) => new Promise((resolve, reject) => {
      this.listen(() => queueMicrotask(() => this.#tell(onResult, onFailure, resolve, reject)));
      if (!this.isComplete) this.#want();
    });
  }

  catch(onFailure) {
    return this.then(undefined, onFailure);
  }

  finally(body) {
    return Promise.resolve(this).finally(body);
  }

  /** Calls back when it has ended, at once if it has. */
  listen(callback) {
    if (this.isComplete) callback();
    else this.#listeners.push(callback);
  }

  /** The operations that it waits for. */
  * pending() {}

  #tell(onResult, onFailure, resolve, reject) {
    const { value, failed } = this.#outcome;
    const callback = failed ? onFailure : onResult;
    try {
      if (failed && !callback) reject(value);
      else handOut(value, () => resolve(callback ? callback(value) : value));
    } catch (error) {
      reject(error);
    }
  }

  #want() {
    const [operation] = this.pending();
    operation?.scheduler.want(this);
  }

  /** It ends. */
  end(value, failed = false) {
    if (this.isComplete) return;
    this.#outcome = { value, failed };
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** Runs a function during which the task is no promise. */
  handOut(body) {
    this.#handedOut = true;
    try {
      body();
    } finally {
      this.#handedOut = false;
    }
  }
}

function handOut(value, body) {
  if (value instanceof Task) value.handOut(body);
  else body();
}

/** An operation of the host. */
export class OperationTask extends Task {
  /** `decode` makes the result of its payload. */
  constructor(scheduler, operation, decode) {
    super();
    this.scheduler = scheduler;
    this.operation = operation;
    this.decode = decode;
  }

  * pending() {
    if (!this.isComplete) yield this;
  }

  /** Waits for its end. */
  finish() {
    try {
      this.end(this.decode(this.operation.wait()));
    } catch (thrown) {
      this.end(asTaskError(thrown), true);
    }
  }
}

/** Ends when all have ended, or with the first that fails. */
export class WhenAllTask extends Task {
  constructor(tasks) {
    super();
    this.tasks = [...tasks];
    this.completedTasks = 0;
    if (this.tasks.length === 0) this.end([]);
    for (const task of this.tasks) task.listen(() => this.#ended(task));
  }

  pendingTasks() {
    return this.tasks.length - this.completedTasks;
  }

  * pending() {
    if (!this.isComplete) yield* pendingOf(this.tasks);
  }

  #ended(task) {
    this.completedTasks += 1;
    if (task.isFailed) this.end(task.getException(), true);
    else if (this.pendingTasks() === 0) this.end(this.tasks.map((one) => one.getResult()));
  }
}

/** Ends with the first that ends, well or not; the result is that task. */
export class WhenAnyTask extends Task {
  constructor(tasks) {
    super();
    this.tasks = [...tasks];
    if (this.tasks.length === 0) throw new DaprError('invalid', 'whenAny of no tasks would never end');
    for (const task of this.tasks) task.listen(() => this.end(task));
  }

  * pending() {
    if (!this.isComplete) yield* pendingOf(this.tasks);
  }
}

function* pendingOf(tasks) {
  for (const task of tasks) yield* task.pending();
}

/** Waits for the operations of the tasks that somebody waits for. */
export class Scheduler {
  #wanted = new Set();
  #running = false;
  #stopped = false;

  /** Somebody waits for this task. */
  want(task) {
    this.#wanted.add(task);
    if (this.#running) return;
    this.#running = true;
    this.#run();
  }

  /** The workflow has returned: what it left behind is waited for no longer. */
  stop() {
    this.#stopped = true;
  }

  async #run() {
    for (;;) {
      for (let turn = 0; turn < TURNS; turn += 1) await undefined;
      const operations = this.#stopped ? [] : this.#operations();
      if (operations.length === 0) break;
      first(operations).finish();
    }
    this.#running = false;
  }

  #operations() {
    for (const task of this.#wanted) {
      if (task.isComplete) this.#wanted.delete(task);
    }
    return [...new Set(pendingOf(this.#wanted))];
  }
}

function first(tasks) {
  return tasks.length === 1 ? tasks[0] : tasks[waitAny(tasks.map(({ operation }) => operation))];
}

function asTaskError(thrown) {
  const failed = thrown?.payload ?? thrown;
  if (failed?.tag !== 'failed') return asDaprError(thrown);
  const { kind, message } = failed.val;
  return new TaskFailedError(message, { message, errorType: kind, stackTrace: undefined });
}
