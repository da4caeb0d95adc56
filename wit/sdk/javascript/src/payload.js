// Values to bytes and back, by the rules of the official SDK.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const JSON_TYPE = 'application/json';
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json';
const TEXT_TYPE = 'text/plain';
const BYTES_TYPE = 'application/octet-stream';

export const bytesOfText = (text) => encoder.encode(text);
export const textOfBytes = (bytes) => decoder.decode(bytes);

/** The media type that a value has if none is given. */
export function typeOf(value) {
  if (asBytes(value)) return BYTES_TYPE;
  if (typeof value !== 'object') return TEXT_TYPE;
  return isCloudEvent(value) ? CLOUD_EVENT_TYPE : JSON_TYPE;
}

/** A value as bytes, with the media type. Nothing is no bytes, of no type. */
export function encode(value, contentType) {
  if (value === undefined || value === null) return { data: new Uint8Array(), contentType };
  const type = contentType ?? typeOf(value);
  const bytes = asBytes(value);
  if (bytes) return { data: bytes, contentType: type };
  const text = isJson(type) || typeof value === 'object' ? JSON.stringify(value) : String(value);
  return { data: encoder.encode(text), contentType: type };
}

/** A value as JSON bytes: how state, workflow inputs and results are kept. */
export function encodeJson(value) {
  return encoder.encode(JSON.stringify(value) ?? 'null');
}

/** What bytes hold: JSON if they are JSON, else text. No bytes are the empty text, as in the official SDK. */
export function decode(bytes) {
  const text = decoder.decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Whether a media type is JSON or ends in `+json`. */
export function isJson(contentType) {
  const type = contentType?.split(';')[0].trim().toLowerCase() ?? '';
  return type === JSON_TYPE || type.endsWith('+json');
}

function asBytes(value) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

function isCloudEvent(value) {
  return value !== null && ['id', 'source', 'type', 'specversion'].every((name) => Object.hasOwn(value, name));
}
