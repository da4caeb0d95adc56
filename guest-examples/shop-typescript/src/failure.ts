// What a caller is told when something went wrong.

import { DaprError } from "@dapr/dapr";

type Body = { error: string; message: string; [more: string]: unknown };

/** An answer that is no success: a status, a short code for programs, a sentence for people. */
export class Failure extends Error {
  readonly status: number;
  readonly body: Body;

  constructor(status: number, code: string, message: string, more: object = {}) {
    super(message);
    this.name = "Failure";
    this.status = status;
    this.body = { error: code, message, ...more };
  }

  /** What a workflow sees of an activity that failed with it. */
  get kind(): string {
    return this.body.error;
  }

  /** What the world refuses it will refuse again; everything else may pass. */
  get nonRetryable(): boolean {
    return this.status >= 400 && this.status < 500;
  }

  /** The caller must change this field, such as `items[0].qty`. */
  static invalid(field: string, message: string): Failure {
    return new Failure(400, "invalid", message, { field });
  }

  static notFound(message: string): Failure {
    return new Failure(404, "not-found", message);
  }

  static conflict(message: string): Failure {
    return new Failure(409, "conflict", message);
  }

  /** Nothing is wrong with the request; it may be sent again. */
  static unavailable(message: string): Failure {
    return new Failure(503, "unavailable", message);
  }

  /** What another service answered, passed on as it is. */
  static passedOn(status: number, body: string): Failure {
    const { error, message, ...more } = JSON.parse(body) as Body;
    return new Failure(status, error, message, more);
  }
}

const OF_STATE = new Map([
  ["conflict", 409], ["invalid", 400], ["too-large", 413], ["unavailable", 503], ["timeout", 504],
]);

/** What a failed call of the state store means to the caller. */
export function ofState(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof DaprError)) throw error;
  const status = OF_STATE.get(error.code);
  // The operator's to mend, not the caller's: a store that is missing, or that this app must not use.
  return status === undefined ? new Failure(500, "state", error.detail) : new Failure(status, error.code, error.detail);
}
