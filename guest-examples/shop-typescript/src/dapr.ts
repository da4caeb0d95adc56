// The building blocks.

import { DaprClient } from "@dapr/dapr";

export const { state, pubsub, secret, invoker } = new DaprClient();

export const STORE = "statestore";
