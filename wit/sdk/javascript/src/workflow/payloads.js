// Inputs and results: JSON, and nothing at all for what is undefined or null.

import { JSON_TYPE, decode, encodeJson } from '../payload.js';

/** A value as a payload. */
export function toPayload(value) {
  if (value === undefined || value === null) return { data: new Uint8Array(), contentType: undefined };
  return { data: encodeJson(value), contentType: JSON_TYPE };
}

/** What a payload holds. */
export function fromPayload(payload) {
  return payload.data.length === 0 ? undefined : decode(payload.data);
}
