// The guest's exports for messages.

import { decode, isJson, textOfBytes } from '../payload.js';
import { logFailure } from '../runtime/log.js';
import { enterService } from '../runtime/phase.js';
import { http, subscriptions as registered } from '../runtime/registry.js';
import { routeName, subscriptionKey } from '../server/pubsub.js';

const BYTES_TYPE = 'application/octet-stream';
const OUTCOMES = new Map([['RETRY', 'retry'], ['DROP', 'drop']]);

export const subscriptions = {
  declare() {
    enterService();
    return [...registered.values()].map(({ handlers, ...declared }) => declared);
  },
};

export const subscriber = {
  async handle(delivery) {
    enterService();
    const handlers = handlersOf(delivery);
    if (handlers.length > 0) return handleBy(handlers, delivery);
    if (http.fetch) return post(delivery);
    console.error(`no handler for ${delivery.pubsub}/${delivery.topic}, route ${delivery.route}: the message is dropped`);
    return 'drop';
  },
};

// A subscription document has routes of its own, of which the program knows nothing: its default handlers take them.
function handlersOf({ pubsub, topic, route }) {
  const name = routeName(route);
  const own = registered.get(subscriptionKey(pubsub, topic));
  const found = own?.handlers.get(name) ?? own?.handlers.get(own.defaultRoute);
  if (found) return found;
  const elsewhere = [...registered.values()].find((other) => other.pubsub === pubsub && other.handlers.has(name));
  return elsewhere?.handlers.get(name) ?? [];
}

// Of several answers RETRY goes before DROP, and DROP before SUCCESS.
async function handleBy(handlers, delivery) {
  const [data, headers, event] = [dataOf(delivery.event), headersOf(delivery), eventOf(delivery.event)];
  const statuses = new Set();
  for (const handler of handlers) statuses.add(await statusOf(handler, delivery, [data, headers, event]));
  return ['retry', 'drop'].find((status) => statuses.has(status)) ?? 'success';
}

async function statusOf(handler, { pubsub, topic, event }, args) {
  try {
    return OUTCOMES.get(await handler(...args)) ?? 'success';
  } catch (error) {
    logFailure(`message ${event.id} of ${pubsub}/${topic}`, error);
    return 'retry';
  }
}

function dataOf({ data, dataContentType }) {
  if (isJson(dataContentType) || dataContentType?.startsWith(BYTES_TYPE)) return decode(data);
  return textOfBytes(data);
}

function headersOf({ pubsub, topic, metadata, event }) {
  const tracing = event.extensions.filter(([name]) => name === 'traceparent' || name === 'tracestate');
  return {
    'content-type': 'application/cloudevents+json',
    pubsubname: pubsub,
    topic,
    ...Object.fromEntries(metadata.map(([name, value]) => [`metadata.${name}`, value])),
    ...Object.fromEntries(tracing),
  };
}

/** The CloudEvent as an object. */
function eventOf(event) {
  return {
    id: event.id,
    source: event.source,
    type: event.eventType,
    specversion: event.specVersion,
    subject: event.subject,
    time: event.time,
    datacontenttype: event.dataContentType,
    ...Object.fromEntries(event.extensions),
    data: dataOf(event),
  };
}

// A program that has routes of its own for messages, as beside a sidecar.
async function post(delivery) {
  const request = new Request(`http://guest/${routeName(delivery.route)}`, {
    method: 'POST', headers: headersOf(delivery), body: JSON.stringify(eventOf(delivery.event)),
  });
  try {
    const response = await http.fetch(request);
    const text = await response.text();
    if (response.status === 404) return 'drop';
    if (!response.ok) return 'retry';
    return OUTCOMES.get(statusIn(text)) ?? 'success';
  } catch (error) {
    logFailure(`message ${delivery.event.id} of ${delivery.pubsub}/${delivery.topic}`, error);
    return 'retry';
  }
}

function statusIn(text) {
  try {
    return JSON.parse(text)?.status;
  } catch {
    return undefined;
  }
}
