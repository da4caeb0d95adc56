import { LoggerOptions } from "./logger";
import { TWorkflow } from "./workflow";

/** Taken and not used: there is no sidecar to reach. */
export interface WorkflowClientOptions {
  daprHost: string;
  daprPort: string;
  logger?: LoggerOptions;
  daprApiToken?: string;
  grpcOptions?: object;
}

export declare enum WorkflowRuntimeStatus {
  RUNNING = 0,
  COMPLETED = 1,
  CONTINUED_AS_NEW = 2,
  FAILED = 3,
  CANCELED = 4,
  TERMINATED = 5,
  PENDING = 6,
  SUSPENDED = 7,
  /** The code does not fit the history; it goes on when the code is changed. */
  STALLED = 8,
}

export declare function fromOrchestrationStatus(value: number): WorkflowRuntimeStatus;
export declare function toOrchestrationStatus(value: WorkflowRuntimeStatus): number;

export declare class WorkflowFailureDetails {
  getErrorType(): string;
  getErrorMessage(): string;
  getStackTrace(): string | undefined;
}

/** A workflow instance at one moment. */
export declare class WorkflowState {
  get name(): string;
  get instanceId(): string;
  get runtimeStatus(): WorkflowRuntimeStatus;
  get createdAt(): Date;
  get lastUpdatedAt(): Date;
  /** Always undefined: the host does not tell it. */
  get serializedInput(): string | undefined;
  get serializedOutput(): string | undefined;
  get workflowFailureDetails(): WorkflowFailureDetails | undefined;
  get customStatus(): string | undefined;
  /** What it waits for. Not in the official SDK. */
  get waitingOn(): string | undefined;
  /** Why it is stalled. Not in the official SDK. */
  get problem(): string | undefined;
}

/** Not in the official SDK. */
export interface StartOptions {
  /** Whether the ID of an instance that has ended may be used again; not given: `ended`. */
  reuse?: "ended" | "failed" | "never";
  /** What happens when the ID is taken; not given: `fail`. With `never` and `use-existing`, starting is idempotent. */
  conflict?: "fail" | "use-existing" | "terminate-existing";
  /** The app that has the workflow; not given: this one. */
  appId?: string;
}

/** Starts workflows and looks after them. */
export declare class DaprWorkflowClient {
  constructor(options?: Partial<WorkflowClientOptions>);
  scheduleNewWorkflow(workflow: TWorkflow | string, input?: any, instanceId?: string, startAt?: Date, options?: StartOptions): Promise<string>;
  getWorkflowState(workflowInstanceId: string, getInputsAndOutputs?: boolean): Promise<WorkflowState | undefined>;
  waitForWorkflowStart(workflowInstanceId: string, fetchPayloads?: boolean, timeoutInSeconds?: number): Promise<WorkflowState | undefined>;
  waitForWorkflowCompletion(workflowInstanceId: string, fetchPayloads?: boolean, timeoutInSeconds?: number): Promise<WorkflowState | undefined>;
  /** Sends an event. One with an `eventId` that the instance was sent before is dropped (not in the official SDK). */
  raiseEvent(workflowInstanceId: string, eventName: string, eventPayload?: any, options?: { eventId?: string }): Promise<void>;
  terminateWorkflow(workflowInstanceId: string, output?: any): Promise<void>;
  /** Asks the workflow to cancel: what it waits for fails with the code `canceled`. Not in the official SDK. */
  cancelWorkflow(workflowInstanceId: string, reason?: string): Promise<void>;
  purgeWorkflow(workflowInstanceId: string): Promise<boolean>;
  suspendWorkflow(workflowInstanceId: string): Promise<void>;
  resumeWorkflow(workflowInstanceId: string): Promise<void>;
  stop(): Promise<void>;
}

export interface WorkflowGetResponseType {
  instanceID: string;
  workflowName: string;
  createdAt: Date;
  lastUpdatedAt: Date;
  runtimeStatus: "Unknown" | "Running" | "Completed" | "Failed" | "Terminated" | "Pending" | "Suspended" | (string & {});
  properties: { [key: string]: any };
}

/** `client.workflow`: the same under the names of Dapr's HTTP API. */
export interface ClientWorkflow {
  get(instanceId: string): Promise<WorkflowGetResponseType>;
  getWorkflowState(instanceId: string): Promise<WorkflowGetResponseType>;
  start(workflowName: string, input?: any, instanceId?: string): Promise<string>;
  scheduleNewWorkflow(workflowName: string, input?: any, instanceId?: string): Promise<string>;
  raise(instanceId: string, eventName: string, eventData?: any): Promise<void>;
  raiseEvent(instanceId: string, eventName: string, eventData?: any): Promise<void>;
  terminate(instanceId: string): Promise<void>;
  pause(instanceId: string): Promise<void>;
  resume(instanceId: string): Promise<void>;
  purge(instanceId: string): Promise<void>;
}
