// The subscription, what arrives through it, and /received/{id}.

import { open } from 'berth:state/store@0.1.0';
import { notFound } from './http.js';

const OUTCOMES = new Map([['drop', 'drop'], ['retry', 'retry']]);

export function declare() {
  return [
    {
      pubsub: 'pubsub',
      topic: 'contract',
      rules: [{ match: 'event.type == "special"', path: 'special' }],
      defaultRoute: 'default',
      deadLetterTopic: 'contract-dlq',
      bulk: undefined,
      metadata: [],
    },
  ];
}

export function handle({ route, attempt, event }) {
  const data = new TextDecoder().decode(event.data);
  const { id, eventType: type, source } = event;
  const received = JSON.stringify({ id, type, source, route, attempt, data });
  try {
    const options = { contentType: 'application/json', metadata: [] };
    open('statestore').set(key(id), new TextEncoder().encode(received), options);
  } catch {
    return 'retry';
  }
  return OUTCOMES.get(data) ?? 'success';
}

export function answer(id) {
  try {
    const entry = open('statestore').get(key(id), { metadata: [] });
    return entry ? { status: 200, body: entry.value } : notFound();
  } catch (error) {
    return { status: 500, body: JSON.stringify({ error: JSON.stringify(error.payload) }) };
  }
}

const key = (id) => `received-${id}`;
