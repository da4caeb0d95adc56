// Programs that are interpreted, for builds that follow each other: the guest is an engine, which is built once for all
// programs that use the same interfaces and which the host compiles once, and the program's text behind it, in the custom
// section `berth:script`. The engine runs the text when an instance begins.
//
// The text is a function of the imports of the host by name, of what it hands its doors to, and of what hears its lines for
// the build.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { bundle } from './bundle.mjs';
import { component } from './component.mjs';
import { tell, tellNothing } from './tell.mjs';

const engines = resolve(dirname(fileURLToPath(import.meta.url)), '../../engines');
const SECTION = 'berth:script';
// A program whose start takes longer has an endless loop in it.
const START_BOUND_MS = 10_000;
const PROGRAM = 'berth:script/program@0.1.0';
// What the engine has of the web's, besides what every JavaScript has.
const SURROUNDINGS = [
  'AbortController', 'AbortSignal', 'Blob', 'CustomEvent', 'DOMException', 'Event', 'EventTarget', 'File', 'FormData', 'Headers',
  'ReadableStream', 'Request', 'Response', 'TextDecoder', 'TextEncoder', 'TransformStream', 'URL', 'URLSearchParams',
  'WritableStream', 'atob', 'btoa', 'clearInterval', 'clearTimeout', 'console', 'fetch', 'queueMicrotask', 'setInterval',
  'setTimeout', 'structuredClone',
];

/** Builds OUTPUT.draft, as `build.mjs` does. False: it has been said why not. */
export async function buildScript({ project, entry, output, colours }) {
  const { code, imports, doors, inputs } = await bundle({ project, entry, colours, script: true });
  if (doors.length === 0) {
    tellNothing(entry);
    return false;
  }
  const text = `(async (BERTH_HOST, BERTH_OFFER, BERTH_TELL) => {'use strict';\n${code}\n})\n//# sourceURL=guest.js\n`;
  await rehearse(text);
  const engine = await engineFor(imports, doors);
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(`${output}.draft`, Buffer.concat([engine, customSection(SECTION, Buffer.from(text))]));
  tell('inputs', inputs);
  return true;
}

/** Runs the program's start as the engine will, to hear what it registers and what is wrong with it. */
async function rehearse(text) {
  const surroundings = Object.fromEntries(SURROUNDINGS.map((name) => [name, globalThis[name]]));
  // The program replaces functions of these two.
  const own = { crypto: Object.create(crypto), performance: Object.create(performance) };
  const context = vm.createContext({ ...surroundings, ...own });
  context.start = vm.runInContext(text, context, { filename: 'guest.js' });
  context.given = [new Proxy({}, { get: () => ({}) }), () => {}, console.log];
  await vm.runInContext('start(...given)', context, { timeout: START_BOUND_MS });
}

async function engineFor(imports, doors) {
  const code = engineSource(imports, doors);
  const path = join(engines, `${createHash('sha256').update(code).digest('hex').slice(0, 32)}.wasm`);
  if (existsSync(path)) return readFileSync(path);
  tell('step', 'building an engine for the interfaces of this program (once)');
  const work = join(engines, `${process.pid}`);
  const engine = await component(code, [...imports, PROGRAM], doors, work);
  rmSync(work, { recursive: true });
  // Another build may make the same.
  writeFileSync(`${path}.${process.pid}`, engine);
  renameSync(`${path}.${process.pid}`, path);
  return engine;
}

function engineSource(imports, doors) {
  const calls = ({ key, functions }) => functions.map((name) => `${name}: call('${key}', '${name}')`).join(', ');
  return `
import { source } from '${PROGRAM}';
${imports.map((name, at) => `import * as host${at} from '${name}';`).join('\n')}
const host = { ${imports.map((name, at) => `'${name}': host${at}`).join(', ')} };
let guest;
async function start() {
  let doors;
  await (0, eval)(source())(host, (offered) => { doors = offered; }, () => {});
  return doors;
}
const call = (door, name) => async (...args) => {
  guest ??= start();
  return (await guest)[door][name](...args);
};
${doors.map((door) => `export const ${door.key} = { ${calls(door)} };`).join('\n')}
`;
}

/** A custom section of WebAssembly (core specification 2.0, section 5.5.3). */
function customSection(name, content) {
  const title = Buffer.from(name);
  const body = Buffer.concat([leb128(title.length), title, content]);
  return Buffer.concat([Buffer.of(0), leb128(body.length), body]);
}

function leb128(number) {
  const bytes = [];
  for (let rest = number; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.of(...bytes, rest);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
