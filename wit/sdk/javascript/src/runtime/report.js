// What a built guest has, for `berth build`.

import { tellBuild } from './phase.js';
import { activities, http, listeners, subscriptions, workflows } from './registry.js';

// A program registers in async functions: it has come as far as it can when this many turns have passed without effect.
const TURNS = 1000;

/** Tells it when the program's start has run. */
export async function report(app) {
  for (let turn = 0; turn < TURNS; turn += 1) await undefined;
  tellBuild('guest', {
    http: http.fetch && 'fetch',
    methods: listeners.map(({ verb, segments }) => `${verb} /${segments.join('/')}`),
    subscriptions: [...subscriptions.values()].map(({ pubsub, topic }) => `${pubsub}/${topic}`),
    workflows: [...workflows.keys()],
    activities: [...activities.keys()],
    exports: Object.keys(app),
  });
}
