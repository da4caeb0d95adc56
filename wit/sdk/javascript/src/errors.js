// What a failed call throws.

const STATUS = {
  invalid: 400, denied: 403, 'not-found': 404, conflict: 409, exists: 409, 'not-allowed': 409, 'too-large': 413,
  other: 500, unavailable: 503, timeout: 504,
};

/**
 * A call that failed. As in the official SDK the message is JSON with `error`, `error_msg` and `status`, since programs
 * parse it; `code`, `detail` and `status` say the same.
 */
export class DaprError extends Error {
  constructor(code, detail, status = STATUS[code] ?? 500) {
    super(JSON.stringify({ error: code, error_msg: detail, status }));
    this.name = 'DaprError';
    this.code = code;
    this.detail = detail;
    this.status = status;
  }
}

/** What an import threw: an error case of the WIT, or something else. */
export function asDaprError(thrown) {
  const failed = thrown?.payload ?? thrown;
  if (typeof failed?.tag === 'string') return new DaprError(failed.tag, describe(failed.val));
  return thrown instanceof Error ? thrown : new DaprError('other', String(thrown));
}

/** Runs a call of an import. */
export function attempt(body) {
  try {
    return body();
  } catch (thrown) {
    throw asDaprError(thrown);
  }
}

function describe(value) {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}
