// What a guest can offer the host: which module of the SDK has it, and the functions of each interface.

const INTERFACES = {
  incomingHandler: { name: 'wasi:http/incoming-handler@0.2.10', functions: ['handle'] },
  reusableHandler: { name: 'berth:http/reusable-handler@0.1.0', functions: ['handle'] },
  subscriber: { name: 'berth:pubsub/subscriber@0.1.0', functions: ['handle'] },
  subscriptions: { name: 'berth:pubsub/subscriptions@0.1.0', functions: ['declare'] },
  workflows: { name: 'berth:workflow/workflows@0.1.0', functions: ['run'] },
  activities: { name: 'berth:workflow/activities@0.1.0', functions: ['run'] },
  registry: { name: 'berth:workflow/registry@0.1.0', functions: ['workflows', 'activities'] },
};

const MODULES = {
  http: { module: '@berth/dapr/guest/wire', interfaces: ['reusableHandler'] },
  messages: { module: '@berth/dapr/guest/messages', interfaces: ['subscriber', 'subscriptions'] },
  workflows: { module: '@berth/dapr/guest/workflows', interfaces: ['workflows', 'activities', 'registry'] },
};
// A script has but this door: an event would be there before the program has begun.
const MODULES_OF_SCRIPTS = { ...MODULES, http: { ...MODULES.http, interfaces: ['incomingHandler'] } };
// What `guest/fetch-event` listens to.
const FETCH_EVENT = { name: INTERFACES.incomingHandler.name, ofEngine: true };

/** The modules for what a program uses, each with the names of its JavaScript exports. */
export const modulesOf = (features, script) => Object.entries(script ? MODULES_OF_SCRIPTS : MODULES)
  .filter(([name]) => features[name]).map(([, module]) => module);

/** The interfaces, each with its `name`; with the JavaScript export, its `key`, and its `functions`, unless it is the engine's. */
export function doorsOf(features, script) {
  const doors = modulesOf(features, script).flatMap(({ interfaces }) => interfaces).map((key) => ({ key, ...INTERFACES[key] }));
  return features.http && !script ? [FETCH_EVENT, ...doors] : doors;
}
