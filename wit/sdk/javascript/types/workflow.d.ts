/** An activity, a child or a workflow that failed. */
export declare class TaskFailedError extends Error {
  readonly details: { message: string; errorType: string; stackTrace: string | undefined };
}

/** Something that ends some time later: to be yielded by a generator, or awaited by an async function. */
export declare class Task<T> implements PromiseLike<T> {
  get isComplete(): boolean;
  get isFailed(): boolean;
  getResult(): T;
  getException(): Error;
  then<R = T, F = never>(onResult?: ((value: T) => R | PromiseLike<R>) | null, onFailure?: ((reason: any) => F | PromiseLike<F>) | null): Promise<R | F>;
  catch<F = never>(onFailure?: ((reason: any) => F | PromiseLike<F>) | null): Promise<T | F>;
  finally(body?: (() => void) | null): Promise<T>;
}

export interface RetryPolicy {
  /** Attempts in all; 3 if it is not given. */
  maxAttempts?: number;
  /** Pause after the first attempt; a second if it is not given. */
  firstIntervalMs?: number;
  /** Factor from each pause to the next; 2 if it is not given. */
  backoff?: number;
  maxIntervalMs?: number;
  totalTimeoutMs?: number;
  /** Kinds of failure that are final: an error's `name`. */
  nonRetryable?: string[];
}

/** Not in the official SDK. */
export interface ActivityOptions {
  /** Not given: one attempt. */
  retry?: RetryPolicy;
  /** Longest time of one attempt. */
  startToCloseMs?: number;
  /** The app that has the activity; not given: this one. */
  appId?: string;
  dispatch?: "local" | "queued";
  /** Record each attempt before it begins. */
  recordIntent?: boolean;
  metadata?: { [name: string]: string };
}

/** Not in the official SDK. */
export interface ChildWorkflowOptions {
  retry?: RetryPolicy;
  appId?: string;
  metadata?: { [name: string]: string };
}

/** A generator, an async generator, or an async function; `any` as in the official SDK. */
export type TWorkflow = (context: WorkflowContext, input: any) => Generator<Task<any>, any, any> | any;

export type TWorkflowActivity<TInput = any, TOutput = any> = (context: WorkflowActivityContext, input: TInput) => TOutput;

type Awaitable<T> = T | PromiseLike<T>;

/** What a workflow can do. It must do nothing else: the host refuses it. */
export declare class WorkflowContext {
  /** The same as {@link getWorkflowInstanceId}. */
  get instanceId(): string;
  getWorkflowInstanceId(): string;
  /** The time of the last thing that the workflow was given: the same in every replay. */
  getCurrentUtcDateTime(): Date;
  isReplaying(): boolean;
  /** Ends at a time, or after a number of seconds. */
  createTimer(fireAt: Date | number): Task<any>;
  callActivity<TInput = any, TOutput = any>(
    activity: ((context: WorkflowActivityContext, input: TInput) => Awaitable<TOutput>) | string, input?: TInput, options?: ActivityOptions,
  ): Task<TOutput>;
  callChildWorkflow<TInput = any, TOutput = any>(workflow: TWorkflow | string, input?: TInput, instanceId?: string, options?: ChildWorkflowOptions): Task<TOutput>;
  callSubWorkflow<TInput = any, TOutput = any>(workflow: TWorkflow | string, input?: TInput, instanceId?: string, options?: ChildWorkflowOptions): Task<TOutput>;
  /** Ends with the next event of this name; with a timeout, fails if none comes in time. */
  waitForExternalEvent(name: string, options?: { timeoutInSeconds?: number }): Task<any>;
  continueAsNew(newInput: any, saveEvents?: boolean): void;
  setCustomStatus(status: string): void;
  /** Ends when all have ended, or with the first that fails. */
  whenAll<T>(tasks: Task<T>[]): Task<T[]>;
  /** Ends with the first that ends; the result is that task. */
  whenAny(tasks: Task<any>[]): Task<Task<any>>;
  /** Whether changed code takes its new path. Not in the official SDK. */
  isPatched(id: string): boolean;
  /** A UUID that is the same in every replay. Not in the official SDK. */
  newGuid(): string;
  /** Random bytes that are the same in every replay. Not in the official SDK. */
  randomBytes(count: number): Uint8Array;
}

/** What an activity knows of itself. */
export declare class WorkflowActivityContext {
  getWorkflowInstanceId(): string;
  getWorkflowActivityId(): number;
  get instanceId(): string;
  get taskId(): string;
  /** 1 for the first attempt. */
  get attempt(): number;
  /** The same for all attempts of this activity, and for no other: what others may use to do a thing once. */
  get idempotencyKey(): string;
}

/** Takes workflows and activities. */
export declare class WorkflowRuntime {
  constructor(options?: object);
  registerWorkflow(workflow: (context: WorkflowContext, input: any) => any): WorkflowRuntime;
  registerWorkflowWithName(name: string, workflow: (context: WorkflowContext, input: any) => any): WorkflowRuntime;
  registerActivity(fn: (context: WorkflowActivityContext, input: any) => any): WorkflowRuntime;
  registerActivityWithName(name: string, fn: (context: WorkflowActivityContext, input: any) => any): WorkflowRuntime;
  start(): Promise<void>;
  stop(): Promise<void>;
}
