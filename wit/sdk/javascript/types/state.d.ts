import { KeyValueType } from "./common";

export declare enum StateConcurrencyEnum {
  CONCURRENCY_UNSPECIFIED = 0,
  CONCURRENCY_FIRST_WRITE = 1,
  CONCURRENCY_LAST_WRITE = 2,
}

export declare enum StateConsistencyEnum {
  CONSISTENCY_UNSPECIFIED = 0,
  CONSISTENCY_EVENTUAL = 1,
  CONSISTENCY_STRONG = 2,
}

export type Concurrency = StateConcurrencyEnum | "first-write" | "last-write";
export type Consistency = StateConsistencyEnum | "eventual" | "strong";

export interface StateOptions {
  concurrency?: Concurrency;
  consistency?: Consistency;
}

export interface KeyValuePairType<T = any> {
  key: string;
  value: T;
  etag?: string;
  /** Such as `ttlInSeconds`. */
  metadata?: KeyValueType;
  options?: StateOptions;
}

export interface OperationType {
  operation: "upsert" | "delete" | (string & {});
  request: {
    key: string;
    value?: any;
    etag?: string | { value: string };
    metadata?: { [name: string]: string };
    options?: StateOptions;
  };
}

export interface StateSaveResponseType {
  /** Why it was not written or deleted. */
  error?: Error;
}

export interface StateGetOptions {
  consistency?: Consistency;
  metadata?: { [name: string]: string };
}

export interface StateGetBulkOptions {
  parallelism?: number;
  metadata?: KeyValueType;
}

export interface StateDeleteOptions extends StateGetOptions {
  concurrency?: Concurrency;
  etag?: string;
}

export interface ClientState {
  /** Writes values, each on its own. What goes wrong is in the answer: nothing is thrown. */
  save(storeName: string, stateObjects: KeyValuePairType[], options?: { metadata?: KeyValueType }): Promise<StateSaveResponseType>;
  /** The value of a key: parsed if it is JSON, the empty text if there is none. */
  get(storeName: string, key: string, options?: StateGetOptions): Promise<KeyValueType | string>;
  getBulk(storeName: string, keys: string[], options?: StateGetBulkOptions): Promise<KeyValueType[]>;
  /** Deletes a key. What goes wrong is in the answer: nothing is thrown. */
  delete(storeName: string, key: string, options?: StateDeleteOptions): Promise<StateSaveResponseType>;
  /** Applies all operations, or none. */
  transaction(storeName: string, operations?: OperationType[], metadata?: { [name: string]: string } | null): Promise<void>;
  /** Throws: berth does not offer it. */
  query(storeName: string, query: object): Promise<never>;
  /** The value of a key and its version; both undefined if there is none. Not in the official SDK. */
  getStateAndEtag<T = any>(storeName: string, key: string, options?: StateGetOptions): Promise<{ data: T | undefined; etag: string | undefined }>;
  /**
   * Writes a value if its version is still `etag`, or without one if the key is absent. False: somebody else was faster. Not
   * in the official SDK.
   */
  saveWithEtag<T = any>(storeName: string, stateObject: KeyValuePairType<T>): Promise<boolean>;
}
