// Bundles a program with the SDK, and finds out what it needs of the host.

import { builtinModules } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';

const sdk = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const file = (path) => join(sdk, 'src', path);

const REPLACED = new Map([
  ['@dapr/dapr', 'index.js'], ['@berth/dapr', 'index.js'],
  ['crypto', 'shims/crypto.js'], ['node:crypto', 'shims/crypto.js'],
  ['process', 'shims/process.js'], ['node:process', 'shims/process.js'],
]);
const SOURCE = 'guest.js';
const BUILT_IN = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));

const guest = {
  name: 'berth-guest',
  setup(build) {
    build.onResolve({ filter: /^(berth|wasi):/ }, ({ path }) => ({ path, external: true }));
    build.onResolve({ filter: /^[a-z@]/ }, ({ path, kind, importer }) => {
      if (kind === 'entry-point') return undefined;
      if (REPLACED.has(path)) return { path: file(REPLACED.get(path)) };
      if (path.startsWith('@berth/dapr/')) return { path: file(`${path.slice('@berth/dapr/'.length)}.js`) };
      // A package from npm may have the name of one of Node's modules, such as `buffer` or `events`.
      if (!BUILT_IN.has(path) || installed(path, importer)) return undefined;
      return { errors: [{ text: `\`${path}\` is a module of Node.js, which a guest does not have` }] };
    });
  },
};

function installed(path, importer) {
  if (path.startsWith('node:')) return false;
  for (let folder = dirname(importer); ; folder = dirname(folder)) {
    try {
      readFileSync(join(folder, 'node_modules', path, 'package.json'));
      return true;
    } catch {
      if (folder === dirname(folder)) return false;
    }
  }
}

function run(project, colours, input) {
  return esbuild.build({
    ...input,
    absWorkingDir: project,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    mainFields: ['module', 'main'],
    target: 'es2022',
    // Workflows and activities are known by the names of their functions.
    keepNames: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [guest],
    logLevel: 'warning',
    color: colours,
  });
}

/** Bundles `entry`: the code, which imports it has of the host, what it exports, and the files that it is made from. */
export async function bundle(project, entry, colours) {
  const alone = await run(project, colours, { entryPoints: [entry], outdir: project });
  const inputs = sourcesIn(project, alone.metafile);
  const features = featuresOf(project, alone.metafile, inputs);
  const stdin = { contents: guestSource(JSON.stringify(entry), features), resolveDir: project, sourcefile: SOURCE };
  const { metafile, outputFiles } = await run(project, false, { stdin });
  const [output] = Object.values(metafile.outputs);
  return {
    code: outputFiles[0].text,
    imports: [...new Set(output.imports.filter(({ external }) => external).map(({ path }) => path))].sort(),
    exports: exportsOf(features),
    inputs,
  };
}

const sourcesIn = (project, { inputs }) => Object.keys(inputs).map((path) => resolve(project, path))
  .filter((path) => !path.startsWith(`${sdk}/`));

// What of the SDK is left after unused code is dropped says what the program uses.
function featuresOf(project, { outputs }, sources) {
  const [output] = Object.values(outputs);
  const kept = new Set(Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => resolve(project, path)));
  const own = sources.filter((path) => !path.includes('/node_modules/'));
  const messages = kept.has(file('server/dapr-server.js'));
  return {
    http: messages || output.exports.includes('fetch') || output.exports.includes('default'),
    messages,
    workflows: kept.has(file('workflow/runtime.js')),
    management: own.some((path) => /\.workflow\s*\./.test(readFileSync(path, 'utf8'))),
  };
}

function guestSource(app, { http, messages, workflows, management }) {
  const lines = [
    "import '@berth/dapr/runtime/prelude';",
    ...(management ? ["import '@berth/dapr/workflow/management';"] : []),
    `import * as app from ${app};`,
    "import { report } from '@berth/dapr/runtime/report';",
    ...(http ? ["import { useFetch } from '@berth/dapr/guest/http';", 'useFetch(app);'] : []),
    ...(http ? ["export { incomingHandler } from '@berth/dapr/guest/http';"] : []),
    ...(messages ? ["export { subscriber, subscriptions } from '@berth/dapr/guest/messages';"] : []),
    ...(workflows ? ["export { workflows, activities, registry } from '@berth/dapr/guest/workflows';"] : []),
    'report(app);',
  ];
  return lines.join('\n');
}

function exportsOf({ http, messages, workflows }) {
  return [
    ...(http ? ['wasi:http/incoming-handler@0.2.10'] : []),
    ...(messages ? ['berth:pubsub/subscriber@0.1.0', 'berth:pubsub/subscriptions@0.1.0'] : []),
    ...(workflows ? ['workflows', 'activities', 'registry'].map((name) => `berth:workflow/${name}@0.1.0`) : []),
  ];
}
