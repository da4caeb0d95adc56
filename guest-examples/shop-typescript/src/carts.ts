// `/carts`: any JSON object, kept for an hour after its last change.

import { STORE, state } from "./dapr";
import { Failure, ofState } from "./failure";
import { Field } from "./field";
import { body, json } from "./http";
import { merge } from "./merge-patch";

const key = (user: string) => `cart-${user}`;
const FOR_AN_HOUR = { ttlInSeconds: "3600" };

/** Replaces the cart, whatever it held: the last writer wins. */
export async function put(user: string, request: Request): Promise<Response> {
  const cart = Field.body(await body(request)).object();
  const options = { concurrency: "last-write" } as const;
  const { error } = await state.save(STORE, [{ key: key(user), value: cart, metadata: FOR_AN_HOUR, options }]);
  if (error) throw ofState(error);
  return json(200, cart);
}

/** Shows the cart, and its version in `ETag`. */
export async function show(user: string): Promise<Response> {
  const { cart, etag } = await find(user);
  return json(200, cart, { etag: `"${etag}"` });
}

/**
 * Merges changes into the cart. The first writer wins: a cart that changed since the version in `If-Match`, or since it was
 * read here, is a conflict.
 */
export async function patch(user: string, request: Request): Promise<Response> {
  const changes = Field.body(await body(request)).object();
  const { cart, etag } = await find(user);
  const expected = expectedEtag(request.headers.get("if-match"));
  if (expected !== undefined && expected !== etag) throw changed(user);
  const merged = merge(cart, changes);
  const saved = await state.saveWithEtag(STORE, { key: key(user), value: merged, etag, metadata: FOR_AN_HOUR }).catch(rethrow);
  if (!saved) throw changed(user);
  return json(200, merged);
}

async function find(user: string): Promise<{ cart: object; etag: string }> {
  const { data, etag } = await state.getStateAndEtag<object>(STORE, key(user)).catch(rethrow);
  if (data === undefined || etag === undefined) throw Failure.notFound(`${user} has no cart`);
  return { cart: data, etag };
}

/** The version that a caller insists on: `"17"`, `W/"17"` or a bare `17`. `*` is any version. */
export function expectedEtag(ifMatch: string | null): string | undefined {
  const etag = ifMatch?.trim().replace(/^W\//, "").replace(/^"+|"+$/g, "");
  return etag === "*" ? undefined : etag;
}

function changed(user: string): Failure {
  return Failure.conflict(`the cart of ${user} was changed by somebody else: read it again, then decide`);
}

function rethrow(error: unknown): never {
  throw ofState(error);
}
