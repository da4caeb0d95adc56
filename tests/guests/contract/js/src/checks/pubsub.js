// berth:pubsub.

import { bulkPublish, publish } from 'berth:pubsub/publisher@0.1.0';
import { bytes, expect, refused } from './expect.js';

const PLAIN = { raw: false, metadata: [] };
const HELLO = { data: bytes('hello'), contentType: 'text/plain' };

const bulkMessage = (run, entryId) => ({
  entryId,
  message: HELLO,
  metadata: [['cloudevent.id', run.key(`bulk-${entryId}`)]],
});

export const checks = {
  'pubsub.publish': (run) => {
    publish('pubsub', 'contract', HELLO, { ...PLAIN, metadata: [['cloudevent.id', run.key('plain')]] });
  },

  'pubsub.publish-special': (run) => {
    const metadata = [['cloudevent.id', run.key('special')], ['cloudevent.type', 'special']];
    const message = { data: bytes('{"n":1}'), contentType: 'application/json' };
    publish('pubsub', 'contract', message, { ...PLAIN, metadata });
  },

  'pubsub.publish-cloudevent': (run) => {
    const event = {
      specversion: '1.0',
      id: run.key('whole'),
      source: 'elsewhere',
      type: 'special',
      datacontenttype: 'text/plain',
      data: 'whole',
    };
    const message = { data: bytes(JSON.stringify(event)), contentType: 'application/cloudevents+json' };
    publish('pubsub', 'contract', message, PLAIN);
  },

  'pubsub.publish-raw': (run) => {
    const options = { raw: true, ttlSeconds: 60, partitionKey: run.id, metadata: [] };
    publish('pubsub', 'contract-raw', { data: Uint8Array.of(0, 255, 10) }, options);
  },

  'pubsub.publish-unknown': () => {
    refused('not-found', () => publish('no-such-pubsub', 'contract', HELLO, PLAIN));
  },

  'pubsub.publish-empty-topic': () => {
    refused('invalid', () => publish('pubsub', '', HELLO, PLAIN));
  },

  'pubsub.publish-zero-ttl': () => {
    refused('invalid', () => publish('pubsub', 'contract', HELLO, { ...PLAIN, ttlSeconds: 0 }));
  },

  'pubsub.bulk-publish': (run) => {
    const messages = [bulkMessage(run, '1'), bulkMessage(run, '2')];
    const failures = bulkPublish('pubsub', 'contract', messages, PLAIN);
    expect(failures.length === 0, failures);
  },

  'pubsub.bulk-publish-duplicate': (run) => {
    const messages = [bulkMessage(run, '1'), bulkMessage(run, '1')];
    refused('invalid', () => bulkPublish('pubsub', 'contract', messages, PLAIN));
  },
};
