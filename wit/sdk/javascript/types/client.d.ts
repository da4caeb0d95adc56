import { CommunicationProtocolEnum, NotOffered } from "./common";
import { ClientInvoker } from "./invoker";
import { LoggerOptions } from "./logger";
import { ClientPubSub } from "./pubsub";
import { ClientState } from "./state";
import { ClientWorkflow } from "./workflow-client";

/** Taken and not used: there is no sidecar to reach. */
export interface DaprClientOptions {
  daprHost: string;
  daprPort: string;
  communicationProtocol: CommunicationProtocolEnum;
  isKeepAlive?: boolean;
  logger?: LoggerOptions;
  actor?: object;
  daprApiToken?: string;
  maxBodySizeMb?: number;
}

export interface ClientSecret {
  /** The fields of a secret by name. `metadata` is a query string, such as `metadata.version_id=3`. */
  get(secretStoreName: string, key: string, metadata?: string): Promise<object>;
  /** All secrets that this app may read, by name. */
  getBulk(secretStoreName: string): Promise<object>;
}

/** The building blocks. */
export declare class DaprClient {
  readonly options: DaprClientOptions;
  readonly daprClient: DaprClient;
  readonly invoker: ClientInvoker;
  readonly pubsub: ClientPubSub;
  readonly secret: ClientSecret;
  readonly state: ClientState;
  readonly workflow: ClientWorkflow;
  readonly health: { isHealthy(): Promise<boolean> };
  readonly actor: NotOffered;
  readonly binding: NotOffered;
  readonly configuration: NotOffered;
  readonly crypto: NotOffered;
  readonly lock: NotOffered;
  readonly metadata: NotOffered;
  readonly proxy: NotOffered;
  readonly sidecar: NotOffered;
  constructor(options?: Partial<DaprClientOptions>);
  static create(client?: { options?: Partial<DaprClientOptions> }): DaprClient;
  static awaitSidecarStarted(...args: any[]): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  getIsInitialized(): boolean;
}

/** A call that failed. The message is JSON with `error`, `error_msg` and `status`, as in the official SDK. */
export declare class DaprError extends Error {
  /** The error case of the WIT, such as `conflict` or `not-found`; `answered` if an app answered with a status from 400 on. */
  readonly code: string;
  readonly detail: string;
  readonly status: number;
  constructor(code: string, detail: string, status?: number);
}
