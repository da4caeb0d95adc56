// Requests and answers.

import { Failure } from "./failure";
import { Field } from "./field";

// Largest request body that the shop reads.
const BODY_BYTES_MAX = 1024 * 1024;

/** Answers a request by a route; what the route throws is an answer, too. */
export async function answer(request: Request, route: (request: Request) => Promise<Response>): Promise<Response> {
  try {
    return await route(request);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.status >= 500) console.error(`${request.method} ${new URL(request.url).pathname}: ${error.message}`);
    return json(error.status, error.body, error.status === 503 ? { "retry-after": "1" } : {});
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

/** The body of a request, not yet checked: see Field. */
export async function body(request: Request): Promise<unknown> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length > BODY_BYTES_MAX) throw new Failure(413, "too-large", `the body exceeds ${BODY_BYTES_MAX} bytes`);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw Failure.invalid("body", `must be JSON: ${(error as Error).message}`);
  }
}

/** An identifier out of the path, checked like one out of a body. */
export function id(name: string, segment: string): string {
  return Field.body({ [name]: segment }).get(name).id();
}

/** What to answer when no route matches. */
export function unmatched(request: Request): Failure {
  return Failure.notFound(`nothing answers ${request.method} ${new URL(request.url).pathname}`);
}
