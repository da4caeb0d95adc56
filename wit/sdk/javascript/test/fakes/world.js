// What the fakes hold between calls.

export const world = {};

/** An empty world. */
export function reset() {
  Object.assign(world, {
    state: new Map(), published: [], invoked: [], answers: new Map(), secrets: new Map(), environment: [], refuse: undefined,
    // Workflows: results by activity, events that have come, what was asked for in order, the clock, started instances.
    activities: new Map(), events: [], asked: [], nowMs: 0, status: undefined, next: undefined, instances: new Map(),
  });
}
reset();

/** What the engine throws for an error case of the WIT. */
export const refusal = (tag, val = `refused as ${tag}`) => Object.assign(new Error(tag), { payload: { tag, val } });

/** Refuses the next calls, if a test said so. */
export function mayRefuse() {
  if (world.refuse) throw refusal(world.refuse);
}
