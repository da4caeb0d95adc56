// berth:pubsub/publisher, which remembers.

import { mayRefuse, refusal, world } from './world.js';

export function publish(pubsub, topic, message, options) {
  mayRefuse();
  world.published.push({ pubsub, topic, ...message, options });
}

export function bulkPublish(pubsub, topic, messages, options) {
  mayRefuse();
  const [failed, taken] = [[], []];
  for (const message of messages) (message.entryId === 'bad' ? failed : taken).push(message);
  world.published.push(...taken.map(({ message, ...rest }) => ({ pubsub, topic, ...message, ...rest, options })));
  return failed.map(({ entryId }) => ({ entryId, error: refusal('too-large').payload }));
}
