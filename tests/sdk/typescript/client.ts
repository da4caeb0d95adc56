// The client half of a shop, as somebody writes it for Dapr: nothing here knows of berth. Its last line is what it saw.
import {
  DaprClient,
  HttpMethod,
  StateConcurrencyEnum,
  StateConsistencyEnum,
} from "@dapr/dapr";

interface Line {
  sku: string;
  qty: number;
}

const STORE = "statestore";
const client = new DaprClient({
  daprHost: process.env.DAPR_HOST ?? "127.0.0.1",
  daprPort: process.env.DAPR_HTTP_PORT ?? "3500",
});

async function saveCart(key: string, items: Line[], etag?: string): Promise<number | undefined> {
  const { error } = await client.state.save(STORE, [
    {
      key,
      value: { items },
      etag,
      options: {
        concurrency: etag ? StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE : StateConcurrencyEnum.CONCURRENCY_LAST_WRITE,
        consistency: StateConsistencyEnum.CONSISTENCY_STRONG,
      },
      metadata: { ttlInSeconds: "3600" },
    },
  ]);
  return statusOf(error);
}

/** The status that the SDK puts into its errors. */
function statusOf(error: Error | undefined): number | undefined {
  return error && (JSON.parse(error.message) as { status: number }).status;
}

async function load(key: string): Promise<unknown> {
  const value = await client.state.get(STORE, key);
  return value === "" ? null : value;
}

async function etagOf(key: string): Promise<string> {
  const [found] = (await client.state.getBulk(STORE, [key])) as { key: string; etag: string }[];
  return found.etag;
}

async function carts() {
  const key = "cart-ada";
  await saveCart(key, [{ sku: "tea", qty: 2 }]);
  const cart = await load(key);
  const etag = await etagOf(key);
  const updated = await saveCart(key, [{ sku: "tea", qty: 3 }], etag);
  if (updated !== undefined) throw new Error(`a current etag is refused with ${updated}`);
  const staleEtag = await saveCart(key, [{ sku: "tea", qty: 4 }], etag);
  const first = await client.state.save(STORE, [
    {
      key,
      value: 1,
      options: {
        concurrency: StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE,
        consistency: StateConsistencyEnum.CONSISTENCY_STRONG,
      },
    },
  ]);
  const result = { cart, updated: await load(key), staleEtag, firstWrite: statusOf(first.error) };
  const { error } = await client.state.delete(STORE, key, { etag: await etagOf(key) });
  if (error) throw error;
  return { ...result, deleted: await load(key) };
}

async function expiry() {
  await client.state.save(STORE, [{ key: "brief", value: "here", metadata: { ttlInSeconds: "1" } }]);
  if ((await load("brief")) !== "here") throw new Error("a key with a time to live is not there");
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await load("brief")) === null) return { expired: null };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("a key outlives its time");
}

async function transaction() {
  await client.state.transaction(STORE, [
    { operation: "upsert", request: { key: "t-1", value: { n: 1 } } },
    { operation: "upsert", request: { key: "t-2", value: { n: 2 } } },
    { operation: "delete", request: { key: "t-2" } },
  ]);
  return { transaction: [await load("t-1"), await load("t-2")] };
}

async function publishing() {
  const order = (id: string) => ({ orderId: id, customerId: "ada", occurredAt: new Date().toISOString() });
  const { error } = await client.pubsub.publish("pubsub", "orders", order("typescript-1"));
  if (error) throw error;
  const { failedMessages } = await client.pubsub.publishBulk("pubsub", "orders", [
    order("typescript-2"),
    { entryID: "mine", event: order("typescript-3"), contentType: "application/json" },
  ]);
  if (failedMessages.length) throw failedMessages[0].error;
  const unknown = await client.pubsub.publish("no-such-pubsub", "orders", order("typescript-4"));
  return { unknownTopic: statusOf(unknown.error) };
}

async function secrets() {
  const name = "stripe-secret-key";
  const secret = (await client.secret.get("secretstore", name)) as Record<string, string>;
  const all = (await client.secret.getBulk("secretstore")) as Record<string, Record<string, string>>;
  return { secret: secret[name], secrets: Object.keys(all) };
}

async function invocation() {
  const inventory = (method: string, verb: HttpMethod, data?: object) =>
    client.invoker.invoke("inventory-service", method, verb, data);
  await inventory("inventory/tea", HttpMethod.PUT, { qty: 10 });
  const items = [{ sku: "tea", qty: 2 }];
  const reserved = (await inventory("reserve", HttpMethod.POST, { orderId: "typescript-1", items })) as { status: string };
  const { qty } = (await inventory("inventory/tea", HttpMethod.GET)) as Line;
  return { reserved: reserved.status === "reserved", left: qty };
}

async function main() {
  const result = {
    ...(await carts()),
    ...(await expiry()),
    ...(await transaction()),
    ...(await publishing()),
    ...(await secrets()),
    ...(await invocation()),
    appId: (await client.metadata.get()).id,
  };
  await client.stop();
  console.log(JSON.stringify(result));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
