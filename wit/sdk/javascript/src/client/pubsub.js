// Publishing.

import { bulkPublish, publish as publishOne } from 'berth:pubsub/publisher@0.1.0';
import { asDaprError, attempt } from '../errors.js';
import { isTrue, seconds, toList } from '../metadata.js';
import { encode, typeOf } from '../payload.js';
import { call } from '../runtime/phase.js';

export const pubsub = {
  /** Publishes one message. What went wrong is in the answer, as in the official SDK: nothing is thrown. */
  publish(pubSubName, topic, data = undefined, options = {}) {
    return call(`pubsub.publish to ${pubSubName}/${topic}`, () => {
      const message = encode(data, options.contentType);
      return answer(() => publishOne(pubSubName, topic, message, publishOptions(options.metadata)));
    });
  },

  /** Publishes many messages, each on its own, and gives those that failed. */
  publishBulk(pubSubName, topic, messages, metadata = {}) {
    return call(`pubsub.publishBulk to ${pubSubName}/${topic}`, () => {
      const entries = messages.map(entryOf);
      const sent = entries.map(({ entryID, event, contentType, metadata: own }) => (
        { entryId: entryID, message: encode(event, contentType), metadata: toList(own) }));
      return { failedMessages: failures(entries, () => bulkPublish(pubSubName, topic, sent, publishOptions(metadata))) };
    });
  },
};

function answer(body) {
  try {
    attempt(body);
    return {};
  } catch (error) {
    return { error };
  }
}

function failures(entries, body) {
  try {
    const failed = new Map(attempt(body).map(({ entryId, error }) => [entryId, asDaprError(error)]));
    const messages = entries.filter(({ entryID }) => failed.has(entryID));
    return messages.map((message) => ({ message, error: failed.get(message.entryID) }));
  } catch (error) {
    return entries.map((message) => ({ message, error }));
  }
}

// What has a field of its own in the WIT is taken out of the metadata.
function publishOptions(metadata = {}) {
  const ttl = metadata.ttlInSeconds;
  const ttlSeconds = seconds(ttl);
  return {
    raw: isTrue(metadata.rawPayload),
    ttlSeconds,
    partitionKey: metadata.partitionKey,
    metadata: toList(metadata, ['rawPayload', 'partitionKey', ...(ttlSeconds === undefined ? [] : ['ttlInSeconds'])]),
  };
}

function entryOf(message) {
  const explicit = typeof message === 'object' && message !== null && 'event' in message;
  const { entryID, event, contentType, metadata } = explicit ? message : { event: message };
  return {
    entryID: entryID || crypto.randomUUID(), event, contentType: contentType || typeOf(event), metadata: metadata ?? {},
  };
}
