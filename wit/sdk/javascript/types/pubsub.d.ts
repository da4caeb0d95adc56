import { KeyValueType } from "./common";

/** What a handler may return: nothing is success. */
export declare enum DaprPubSubStatusEnum {
  /** The message has been handled. */
  SUCCESS = "SUCCESS",
  /** Deliver it again. */
  RETRY = "RETRY",
  /** Never again: to the dead-letter topic. */
  DROP = "DROP",
}

export interface PubSubPublishOptions {
  contentType?: string;
  /** Such as `ttlInSeconds`, `rawPayload`, `partitionKey`, `cloudevent.id`. */
  metadata?: KeyValueType;
}

export interface PubSubPublishResponseType {
  /** Why the message was not taken. */
  error?: Error;
}

export interface PubSubBulkPublishEntry {
  entryID: string;
  event: object | string;
  metadata: KeyValueType;
  contentType: string;
}

export type PubSubBulkPublishMessage =
  | { entryID?: string; event: object | string; metadata?: KeyValueType; contentType?: string }
  | object
  | string;

export interface PubSubBulkPublishResponse {
  failedMessages: { message: PubSubBulkPublishEntry; error: Error }[];
}

export interface ClientPubSub {
  /** Publishes a message. What goes wrong is in the answer: nothing is thrown. */
  publish(pubSubName: string, topic: string, data?: object | string, options?: PubSubPublishOptions): Promise<PubSubPublishResponseType>;
  /** Publishes messages, each on its own. */
  publishBulk(pubSubName: string, topic: string, messages: PubSubBulkPublishMessage[], metadata?: KeyValueType): Promise<PubSubBulkPublishResponse>;
}

/** A CloudEvent 1.0. */
export interface CloudEvent {
  id: string;
  source: string;
  type: string;
  specversion: string;
  subject?: string;
  time?: string;
  datacontenttype?: string;
  data: any;
  [extension: string]: any;
}

/**
 * Handles a message. One that throws has it delivered again.
 *
 * `event`, the whole CloudEvent, is not in the official SDK.
 */
export type DaprPubSubCallback = (data: any, headers: object, event: CloudEvent) => Promise<any | void>;

export interface DaprPubSubRouteType {
  rules?: { match: string; path: string }[];
  default?: string;
}

export interface PubSubSubscriptionOptions {
  metadata?: KeyValueType;
  deadLetterTopic?: string;
  /** Handles the messages of `deadLetterTopic`. */
  deadLetterCallback?: DaprPubSubCallback;
  callback?: DaprPubSubCallback;
  route?: string | DaprPubSubRouteType;
  bulkSubscribe?: { enabled: boolean; maxMessagesCount?: number; maxAwaitDurationMs?: number };
}

export interface BulkSubscribeOptions {
  route?: string | DaprPubSubRouteType;
  metadata?: KeyValueType;
  maxMessagesCount?: number;
  maxAwaitDurationMs?: number;
}

export interface PubSubSubscriptions {
  [pubSubName: string]: {
    [topic: string]: {
      routes: { [path: string]: { path: string; eventHandlers: DaprPubSubCallback[] } };
      dapr: { pubsubname: string; topic: string; metadata?: KeyValueType; routes?: DaprPubSubRouteType; deadLetterTopic?: string };
    };
  };
}

export interface ServerPubSub {
  subscribe(pubSubName: string, topic: string, cb: DaprPubSubCallback, route?: string | DaprPubSubRouteType, metadata?: KeyValueType): Promise<void>;
  subscribeWithOptions(pubSubName: string, topic: string, options: PubSubSubscriptionOptions): Promise<void>;
  subscribeBulk(pubSubName: string, topic: string, cb: DaprPubSubCallback, bulkSubscribeOptions?: BulkSubscribeOptions): Promise<void>;
  /** Adds a handler to a topic that is subscribed to. */
  subscribeToRoute(pubSubName: string, topic: string, route: string | DaprPubSubRouteType, cb: DaprPubSubCallback): void;
  getSubscriptions(): PubSubSubscriptions;
}
