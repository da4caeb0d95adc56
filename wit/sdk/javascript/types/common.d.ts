/** An object of anything by name. */
export type KeyValueType = { [key: string]: any };

/** Taken and not used: a guest calls the host, over no protocol. */
export declare enum CommunicationProtocolEnum {
  GRPC = 0,
  HTTP = 1,
}

/** The verb of a call to another app. */
export declare enum HttpMethod {
  GET = "get",
  DELETE = "delete",
  POST = "post",
  PUT = "put",
  PATCH = "patch",
}

/** A member of the enum, or its word in lower or upper case. */
export type HttpMethodWord = HttpMethod | `${HttpMethod}` | Uppercase<`${HttpMethod}`>;

/** What a block that berth does not give to guests has: methods that throw, and say so. */
export type NotOffered = { [method: string]: (...args: any[]) => any };
