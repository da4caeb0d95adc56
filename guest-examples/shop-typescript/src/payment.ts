// The payment, or as much of it as an example needs.

import { DaprError } from "@dapr/dapr";
import { secret } from "./dapr";
import { Failure } from "./failure";

const SECRETS = "secretstore";
const NAME = "stripe-secret-key";
const MISSING = new Set(["not-found", "denied", "invalid"]);

/**
 * Makes sure that an order could be paid. A real shop would now send the amount and the key to `https://api.stripe.com`, which
 * its manifest would have to allow; this one only reads the key.
 */
export async function check(): Promise<void> {
  const fields = await secret.get(SECRETS, NAME).catch((error: unknown) => {
    throw unreadable(error);
  });
  // A store of environment variables answers an unset one with an empty value.
  if (!Object.values(fields).some((value) => value !== "")) throw missing("it is empty");
}

function unreadable(error: unknown): Failure {
  if (!(error instanceof DaprError)) throw error;
  if (MISSING.has(error.code)) return missing(error.detail);
  return Failure.unavailable(`the secret store ${SECRETS} cannot be read: ${error.detail}`);
}

function missing(reason: string): Failure {
  return new Failure(503, "secret-missing", `no order can be paid without the secret ${NAME} of ${SECRETS}: ${reason}`);
}
