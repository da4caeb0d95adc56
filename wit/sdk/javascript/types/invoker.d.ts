import { HttpMethodWord, KeyValueType } from "./common";

export interface InvokerOptions {
  headers?: KeyValueType;
  /** Gives up after this many milliseconds. Not in the official SDK. */
  timeoutMs?: number;
}

export interface ClientInvoker {
  /**
   * Calls a method of another app.
   *
   * @param methodName A path at the app, with or without a query: `reserve`, `orders/17?full=1`.
   * @param data An object is sent as JSON, a text as `text/plain`.
   * @returns The answer, parsed if it is JSON.
   * @throws A {@link DaprError} if the app cannot be called, or answers with a status from 400 on.
   */
  invoke(appId: string, methodName: string, method?: HttpMethodWord, data?: any, options?: InvokerOptions): Promise<object>;
}

export interface DaprInvokerCallbackContent {
  /** The body as JSON: `{}` if there is none, a JSON string if it is no JSON. */
  body?: string;
  /** Path and query of the request. */
  query?: string;
  metadata?: { contentType?: string };
  headers?: KeyValueType;
  /** What stood for the `:name` parts of the path. Not in the official SDK. */
  params?: { [name: string]: string };
}

/** What it gives is answered as JSON; a `Response` is answered as it is. */
export type DaprInvokerCallbackFunction = (data: DaprInvokerCallbackContent) => Promise<any | void>;

export interface InvokerListenOptions {
  /** GET, if it is not given. */
  method?: HttpMethodWord;
}

export interface ServerInvoker {
  /** Offers a method, such as `reserve` or `orders/:id`. */
  listen(methodName: string, cb: DaprInvokerCallbackFunction, options?: InvokerListenOptions): Promise<any>;
}
