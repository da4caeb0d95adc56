// Runs before the program: what Node.js programs expect of their surroundings.

import { getEnvironment } from 'wasi:cli/environment@0.2.10';
import { isServing, warnBuild } from './phase.js';

// Read by nearly every program at its top level, and without meaning in a guest: no warning.
const OF_THE_SIDECAR = /^(DAPR_|APP_|SERVER_|PORT$|HOST$|NODE_)/;

let environment;

function variables() {
  if (!isServing()) return {};
  environment ??= Object.fromEntries(getEnvironment());
  return environment;
}

function read(name) {
  if (!isServing() && !OF_THE_SIDECAR.test(name)) {
    warnBuild(`process.env.${name} is read while the guest is built, and is not set: read it inside a function`);
  }
  return variables()[name];
}

const env = new Proxy({}, {
  get: (_, name) => (typeof name === 'string' ? read(name) : undefined),
  has: (_, name) => name in variables(),
  set: (_, name, value) => {
    variables()[name] = String(value);
    return true;
  },
  deleteProperty: (_, name) => delete variables()[name],
  ownKeys: () => Object.keys(variables()),
  getOwnPropertyDescriptor: (_, name) => Object.getOwnPropertyDescriptor(variables(), name),
});

function exit(code = 0) {
  if (!isServing() && code === 0) return;
  throw new Error(`process.exit(${code}): a guest does not end, its calls do`);
}

const listenToNothing = () => globalThis.process;

globalThis.process ??= {
  env,
  exit,
  argv: ['guest'],
  execArgv: [],
  pid: 1,
  platform: 'wasi',
  arch: 'wasm32',
  version: 'v20.0.0',
  versions: { node: '20.0.0' },
  cwd: () => '/',
  nextTick: (body, ...args) => queueMicrotask(() => body(...args)),
  uptime: () => performance.now() / 1000,
  on: listenToNothing,
  once: listenToNothing,
  off: listenToNothing,
  emitWarning: (warning) => console.warn(String(warning)),
  stdout: { write: (text) => console.log(String(text).replace(/\n$/, '')), isTTY: false },
  stderr: { write: (text) => console.error(String(text).replace(/\n$/, '')), isTTY: false },
};
globalThis.global ??= globalThis;

/** While the guest is built a method of an object is another one. */
function whileBuilding(owner, name, instead) {
  const real = owner[name];
  const bound = real.bind(owner);
  owner[name] = (...args) => (isServing() ? bound(...args) : instead(...args));
}

// Every instance begins with the memory of the build: what was random then is the same in all of them.
const refuse = (what) => () => {
  throw new Error(`${what} is called while the guest is built, and would give the same to every instance: call it inside a `
    + 'function');
};
whileBuilding(crypto, 'randomUUID', refuse('crypto.randomUUID'));
whileBuilding(crypto, 'getRandomValues', refuse('crypto.getRandomValues'));

let seed = 0x2545f491;
whileBuilding(Math, 'random', () => {
  warnBuild('Math.random is called while the guest is built: what it gives is the same in every instance');
  // xorshift
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) / 2 ** 32;
});

// The engine has no clock yet, and ends.
whileBuilding(performance, 'now', () => 0);

const never = (what) => () => {
  warnBuild(`${what} is called while the guest is built, and never comes to its end: call it in a handler`);
  return what === 'fetch' ? new Promise(() => {}) : 0;
};
for (const name of ['fetch', 'setTimeout', 'setInterval']) whileBuilding(globalThis, name, never(name));
globalThis.setImmediate ??= (body, ...args) => setTimeout(body, 0, ...args);
