// What a guest can offer the host: which module of the SDK has it, and the functions of each interface.

const INTERFACES = {
  incomingHandler: { name: 'wasi:http/incoming-handler@0.2.10', functions: ['handle'] },
  subscriber: { name: 'berth:pubsub/subscriber@0.1.0', functions: ['handle'] },
  subscriptions: { name: 'berth:pubsub/subscriptions@0.1.0', functions: ['declare'] },
  workflows: { name: 'berth:workflow/workflows@0.1.0', functions: ['run'] },
  activities: { name: 'berth:workflow/activities@0.1.0', functions: ['run'] },
  registry: { name: 'berth:workflow/registry@0.1.0', functions: ['workflows', 'activities'] },
};

const MODULES = {
  http: { module: '@berth/dapr/guest/http', interfaces: ['incomingHandler'] },
  messages: { module: '@berth/dapr/guest/messages', interfaces: ['subscriber', 'subscriptions'] },
  workflows: { module: '@berth/dapr/guest/workflows', interfaces: ['workflows', 'activities', 'registry'] },
};

/** The modules for what a program uses. */
export const modulesOf = (features) => Object.entries(MODULES).filter(([name]) => features[name])
  .map(([, { module, interfaces }]) => ({ module, interfaces }));

/** The interfaces, each with the `name` that a world gives it and its `functions`, by the name of the JavaScript export. */
export const doorsOf = (features) => modulesOf(features).flatMap(({ interfaces }) => interfaces)
  .map((key) => ({ key, ...INTERFACES[key] }));
