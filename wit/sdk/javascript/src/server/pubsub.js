// Subscriptions.

import { fromList, toList } from '../metadata.js';
import { warnBuild } from '../runtime/phase.js';
import { mayRegister, subscriptions } from '../runtime/registry.js';

const DEFAULT_ROUTE = 'default';
const DEAD_LETTER_ROUTE = 'deadletter';
// Dapr's own.
const BULK = { maxMessagesCount: 100, maxAwaitDurationMs: 1000 };

/** Names a subscription in the registry. */
export const subscriptionKey = (pubsub, topic) => `${pubsub}\n${topic}`;

/** A route without its slash; without a name, the default one. */
export const routeName = (route) => (route || DEFAULT_ROUTE).replace(/^\//, '');

export const pubsub = {
  /**
   * Handles the messages of a topic. A handler that throws has the message delivered again, and what it returns may be a
   * DaprPubSubStatusEnum.
   */
  async subscribe(pubSubName, topic, handler, route = '', metadata = undefined) {
    if (register(pubSubName, topic, { route, metadata })) pubsub.subscribeToRoute(pubSubName, topic, route, handler);
  },

  async subscribeWithOptions(pubSubName, topic, options = {}) {
    if (!register(pubSubName, topic, options)) return;
    if (options.callback) pubsub.subscribeToRoute(pubSubName, topic, options.route, options.callback);
    if (options.deadLetterCallback) await subscribeToDeadLetters(pubSubName, topic, options);
  },

  async subscribeBulk(pubSubName, topic, handler, options = {}) {
    const { route, metadata, maxMessagesCount, maxAwaitDurationMs } = options;
    const bulkSubscribe = { enabled: true, maxMessagesCount, maxAwaitDurationMs };
    if (register(pubSubName, topic, { route, metadata, bulkSubscribe })) {
      pubsub.subscribeToRoute(pubSubName, topic, route, handler);
    }
  },

  /** Adds a handler to a topic that is subscribed to. */
  subscribeToRoute(pubSubName, topic, route, handler) {
    const subscription = subscriptions.get(subscriptionKey(pubSubName, topic));
    const what = `the topic ${topic} of ${pubSubName}`;
    if (!subscription) throw new Error(`${what} is not subscribed to: call subscribe or subscribeWithOptions first`);
    if (typeof handler !== 'function') throw new TypeError(`the handler of ${what} is no function`);
    for (const name of routesOf(route)) {
      const handlers = subscription.handlers.get(name);
      if (!handlers) throw new Error(`${what} has no route ${name}, but ${[...subscription.handlers.keys()].join(', ')}`);
      if (mayRegister(handlers.length > 0, `a handler of ${what}`)) handlers.push(handler);
    }
  },

  /** What is subscribed to, by pub/sub backend and topic, in the form of the official SDK. */
  getSubscriptions() {
    const all = {};
    for (const { pubsub: name, topic, rules, defaultRoute, deadLetterTopic, metadata, handlers } of subscriptions.values()) {
      const routes = [...handlers].map(([path, eventHandlers]) => [path, { path, eventHandlers }]);
      const dapr = {
        pubsubname: name, topic, deadLetterTopic, metadata: fromList(metadata), routes: { rules, default: defaultRoute },
      };
      all[name] = { ...all[name], [topic]: { routes: Object.fromEntries(routes), dapr } };
    }
    return all;
  },
};

/** Adds a subscription; false if the program serves and it is there. */
function register(pubSubName, topic, options) {
  const key = subscriptionKey(pubSubName, topic);
  const what = `the subscription to ${topic} of ${pubSubName}`;
  if (!mayRegister(subscriptions.has(key), what)) return false;
  if (subscriptions.has(key)) throw new Error(`${what} is there already: use subscribeToRoute for another handler`);
  const given = typeof options.route === 'object' && options.route !== null ? options.route : { default: options.route };
  const rules = (given.rules ?? []).map(({ match, path }) => ({ match, path: routeName(path) }));
  // Rules without a default drop what matches none of them, as in Dapr.
  const defaultRoute = given.rules && !given.default ? undefined : routeName(given.default);
  const names = [...rules.map(({ path }) => path), ...(defaultRoute === undefined ? [] : [defaultRoute])];
  subscriptions.set(key, {
    pubsub: pubSubName,
    topic,
    rules,
    defaultRoute,
    deadLetterTopic: options.deadLetterTopic,
    bulk: bulkOf(options.bulkSubscribe),
    metadata: toList(options.metadata),
    handlers: new Map(names.map((name) => [name, []])),
  });
  return true;
}

function bulkOf(given) {
  if (!given?.enabled) return undefined;
  return {
    enabled: true,
    maxMessagesCount: given.maxMessagesCount ?? BULK.maxMessagesCount,
    maxAwaitDurationMs: given.maxAwaitDurationMs ?? BULK.maxAwaitDurationMs,
  };
}

function routesOf(route) {
  if (typeof route !== 'object' || route === null) return [routeName(route)];
  const names = (route.rules ?? []).map(({ path }) => routeName(path));
  if (route.default || names.length === 0) names.push(routeName(route.default));
  return [...new Set(names)];
}

async function subscribeToDeadLetters(pubSubName, topic, { deadLetterTopic, deadLetterCallback }) {
  if (!deadLetterTopic) {
    warnBuild(`the subscription to ${topic} of ${pubSubName} has a deadLetterCallback and no deadLetterTopic: it is never `
      + 'called');
    return;
  }
  await pubsub.subscribe(pubSubName, deadLetterTopic, deadLetterCallback, DEAD_LETTER_ROUTE);
}
