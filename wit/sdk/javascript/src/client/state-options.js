// Options of state calls: members of the official enums, or words.

import { seconds, toList } from '../metadata.js';
import { JSON_TYPE, encodeJson } from '../payload.js';

const CONCURRENCY = new Map([
  [1, 'first-write'], ['first-write', 'first-write'], [2, 'last-write'], ['last-write', 'last-write'],
]);
const CONSISTENCY = new Map([
  [1, 'eventual'], ['eventual', 'eventual'], [2, 'strong'], ['strong', 'strong'],
]);

function choose(choices, value, name) {
  if (value === undefined || value === null || value === 0) return undefined;
  const chosen = choices.get(value);
  if (chosen === undefined) {
    const words = [...new Set(choices.values())].join('` or `');
    throw new TypeError(`options.${name} is \`${value}\`, but should be \`${words}\`, or a member of the enum`);
  }
  return chosen;
}

const etagOf = (etag) => (typeof etag === 'object' && etag !== null ? etag.value : etag);

const shared = ({ etag, options = {} }) => ({
  etag: etagOf(etag),
  concurrency: choose(CONCURRENCY, options.concurrency, 'concurrency'),
  consistency: choose(CONSISTENCY, options.consistency, 'consistency'),
});

/** Options of a read. */
export function getOptions({ consistency, metadata }) {
  return { consistency: choose(CONSISTENCY, consistency, 'consistency'), metadata: toList(metadata) };
}

/** One write. `common` is the metadata of the whole call; that of the value goes before it. */
export function setRequest({ key, value, etag, metadata, options }, common = {}) {
  const merged = { ...common, ...metadata };
  const ttlSeconds = seconds(merged.ttlInSeconds);
  return {
    key,
    value: encodeJson(value),
    options: {
      ...shared({ etag, options }),
      ttlSeconds,
      contentType: JSON_TYPE,
      metadata: toList(merged, ttlSeconds === undefined ? [] : ['ttlInSeconds']),
    },
  };
}

/** One deletion. */
export function deleteRequest({ key, etag, metadata, options }) {
  return { key, options: { ...shared({ etag, options }), metadata: toList(metadata) } };
}

/** One step of a transaction. */
export function operation({ operation: kind, request }, common) {
  if (kind === 'upsert') return { tag: 'set', val: setRequest(request, ttlOnly(common)) };
  if (kind === 'delete') return { tag: 'delete', val: deleteRequest(request) };
  throw new TypeError(`the operation \`${kind}\` of a transaction should be \`upsert\` or \`delete\``);
}

const ttlOnly = (metadata) => (metadata?.ttlInSeconds === undefined ? {} : { ttlInSeconds: metadata.ttlInSeconds });
