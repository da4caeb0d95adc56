// berth:workflow/context. Activities and children are functions of the test, which run when they are waited for, in the
// order of `world.ends` if a test says so; a timer moves the clock; `world.asked` is what was asked for.

import { refusal, world } from './world.js';

let sequence = 0;

class Operation {
  constructor(kind, name, end) {
    sequence += 1;
    Object.assign(this, { id: sequence, kind, name, end, outcome: undefined });
    world.asked.push(`${kind} ${name}`);
  }

  wait() {
    this.outcome ??= settle(this.end);
    if (this.outcome.thrown) throw this.outcome.thrown;
    return this.outcome.value;
  }

  hasEnded() {
    return this.outcome !== undefined;
  }
}

function settle(end) {
  try {
    return { value: end() };
  } catch (thrown) {
    return { thrown };
  }
}

const payload = (value) => ({ data: value === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(value)) });
const value = ({ data }) => (data.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(data)));

function perform(name, input) {
  const body = world.activities.get(name);
  if (!body) throw refusal('failed', { kind: 'NotRegistered', message: `no ${name}`, nonRetryable: true });
  try {
    return payload(body(value(input)));
  } catch (error) {
    throw refusal('failed', { kind: error.name, message: error.message, nonRetryable: false });
  }
}

export const scheduleActivity = (name, input, options) => {
  world.lastOptions = options;
  return new Operation('activity', name, () => perform(name, input));
};

export const scheduleChild = (name, input, options) => {
  world.lastOptions = options;
  return new Operation('child', name, () => perform(name, input));
};

export const scheduleTimer = (ms) => new Operation('timer', String(ms), () => {
  world.nowMs += Number(ms);
  return payload(undefined);
});

export const scheduleEvent = (name, { timeoutMs }) => new Operation('event', name, () => {
  const index = world.events.findIndex((event) => event.name === name);
  if (index >= 0) return payload(world.events.splice(index, 1)[0].data);
  if (timeoutMs !== undefined) throw refusal('timeout', `no event ${name}`);
  throw new Error(`the workflow waits for ever: no event ${name}`);
});

/** Which ends first: an event that has come, then activities and children, then the shortest timer. */
export function waitAny(operations) {
  const rank = ({ kind, name, outcome }) => {
    if (outcome) return -2;
    if (kind === 'event') return world.events.some((event) => event.name === name) ? -1 : Infinity;
    return kind === 'timer' ? Number(name) : 0;
  };
  const ranks = operations.map(rank);
  return ranks.indexOf(Math.min(...ranks));
}

export const instanceId = () => 'instance-1';
export const nowMs = () => BigInt(world.nowMs);
export const isReplaying = () => false;
export const patched = () => true;
export const uuid = () => '00000000-0000-4000-8000-000000000001';
export const random = (count) => new Uint8Array(count);
export const setCustomStatus = (status) => {
  world.status = status;
};
export const continueAsNew = (input, options) => {
  world.next = { input: value(input), ...options };
};
