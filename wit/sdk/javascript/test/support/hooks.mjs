// Resolves what only a host has.

const FAKES = {
  'berth:state/store': 'state.js',
  'berth:pubsub/publisher': 'pubsub.js',
  'berth:invocation/invoker': 'invocation.js',
  'berth:secrets/store': 'secrets.js',
  'berth:workflow/context': 'workflow-context.js',
  'berth:workflow/client': 'workflow-client.js',
  'wasi:cli/environment': 'environment.js',
  'wasi:http/types': 'http.js',
};

export async function resolve(specifier, context, next) {
  if (specifier === '@dapr/dapr') return next(new URL('../../src/index.js', import.meta.url).href, context);
  const fake = FAKES[specifier.split('@')[0]];
  return fake ? next(new URL(`../fakes/${fake}`, import.meta.url).href, context) : next(specifier, context);
}
