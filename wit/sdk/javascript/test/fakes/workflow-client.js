// berth:workflow/client: instances that have completed with their input.

import { refusal, world } from './world.js';

export function start(workflow, input, { instanceId = 'made-up', startAtMs }) {
  if (world.instances.has(instanceId)) throw refusal('exists', `${instanceId} is taken`);
  world.instances.set(instanceId, {
    instanceId, workflow, status: 'completed', output: input, createdAtMs: startAtMs ?? 0n, updatedAtMs: 1n, metadata: [],
  });
  return instanceId;
}

export const get = ({ instanceId }) => world.instances.get(instanceId);

export function wait({ instanceId }, timeoutMs) {
  const found = world.instances.get(instanceId);
  if (!found) throw refusal('not-found', `no ${instanceId}`);
  world.waitedMs = timeoutMs;
  return found;
}

export const purge = ({ instanceId }) => world.instances.delete(instanceId);
export const raiseEvent = ({ instanceId }, name, data) => {
  world.events.push({ instanceId, name, data });
};
const change = (status) => ({ instanceId }) => {
  world.instances.get(instanceId).status = status;
};
export const suspend = change('suspended');
export const resume = change('running');
export const cancel = change('canceled');
export const terminate = change('terminated');
