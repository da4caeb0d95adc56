import { DaprClient, DaprClientOptions } from "./client";
import { CommunicationProtocolEnum, NotOffered } from "./common";
import { ServerInvoker } from "./invoker";
import { LoggerOptions } from "./logger";
import { ServerPubSub } from "./pubsub";

/** Taken and not used: the host calls the guest's exports. */
export interface DaprServerOptions {
  serverHost: string;
  serverPort: string;
  communicationProtocol: CommunicationProtocolEnum;
  maxBodySizeMb?: number;
  serverHttp?: any;
  clientOptions?: Partial<DaprClientOptions>;
  logger?: LoggerOptions;
}

/** What the program offers to the host and to other apps. */
export declare class DaprServer {
  readonly pubsub: ServerPubSub;
  readonly invoker: ServerInvoker;
  readonly binding: NotOffered;
  readonly actor: NotOffered;
  readonly client: DaprClient;
  readonly daprServer: DaprServer;
  constructor(serverOptions?: Partial<DaprServerOptions>);
  start(): Promise<void>;
  stop(): Promise<void>;
  getDaprClient(): DaprServer;
}
