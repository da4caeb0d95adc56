// /contract: every check, in the order of the README.

import { checks as invocation } from './invocation.js';
import { checks as pubsub } from './pubsub.js';
import { checks as secrets } from './secrets.js';
import { checks as state } from './state.js';
import { checks as telemetry } from './telemetry.js';

export function answer({ headers }) {
  const id = headers.get('x-run-id') ?? 'run';
  const run = { id, appId: headers.get('x-app-id') ?? 'contract', key: (name) => `${id}-${name}` };
  const results = Object.entries({ ...state, ...pubsub, ...invocation, ...secrets, ...telemetry })
    .map(([check, body]) => ({ check, ...outcome(body, run) }));
  return { status: 200, body: JSON.stringify(results) };
}

function outcome(body, run) {
  try {
    body(run);
    return { ok: true, detail: '' };
  } catch (error) {
    const detail = error.payload ? `refused: ${JSON.stringify(error.payload)}` : String(error);
    return { ok: false, detail };
  }
}
