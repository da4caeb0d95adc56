// Bundles a program with the SDK, and finds out what it needs of the host and what it offers.

import { builtinModules } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';
import { doorsOf, modulesOf } from './doors.mjs';

const sdk = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const file = (path) => join(sdk, 'src', path);

const REPLACED = new Map([
  ['@dapr/dapr', 'index.js'], ['@berth/dapr', 'index.js'],
  ['crypto', 'shims/crypto.js'], ['node:crypto', 'shims/crypto.js'],
  ['process', 'shims/process.js'], ['node:process', 'shims/process.js'],
]);
const SOURCE = 'guest.js';
const OF_THE_HOST = /^(berth|wasi):/;
const BUILT_IN = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]));

// In a script, imports of the host are what it is given: `script.mjs`.
const HOST = 'host';
const given = {
  name: 'berth-host',
  setup(build) {
    build.onResolve({ filter: OF_THE_HOST }, ({ path }) => ({ path, namespace: HOST, sideEffects: false }));
    build.onLoad({ filter: /./, namespace: HOST }, ({ path }) => ({
      contents: `module.exports = BERTH_HOST[${JSON.stringify(path)}];`,
    }));
  },
};
const imported = {
  name: 'berth-host',
  setup(build) {
    build.onResolve({ filter: OF_THE_HOST }, ({ path }) => ({ path, external: true }));
  },
};

const guest = {
  name: 'berth-guest',
  setup(build) {
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

function run(project, colours, host, input) {
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
    plugins: [host, guest],
    logLevel: 'warning',
    color: colours,
  });
}

/**
 * Bundles `entry`: the code, which imports it has of the host, the doors that it opens to the host, and the files that it is
 * made from. As a module, or as a `script`, which has neither imports nor exports: `script.mjs` says what it is given.
 */
export async function bundle({ project, entry, colours, script = false }) {
  const alone = await run(project, colours, imported, { entryPoints: [entry], outdir: project });
  const inputs = sourcesIn(project, alone.metafile);
  const features = featuresOf(project, alone.metafile, inputs);
  const contents = guestSource(JSON.stringify(entry), features, script);
  const stdin = { contents, resolveDir: project, sourcefile: SOURCE };
  const { metafile, outputFiles } = await run(project, false, script ? given : imported, { stdin });
  return { code: outputFiles[0].text, imports: importsOf(metafile), doors: doorsOf(features, script), inputs };
}

function importsOf({ outputs }) {
  const [output] = Object.values(outputs);
  const external = output.imports.filter((one) => one.external).map(({ path }) => path);
  const inside = Object.keys(output.inputs).filter((path) => path.startsWith(`${HOST}:`))
    .map((path) => path.slice(HOST.length + 1));
  return [...new Set([...external, ...inside])].sort();
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
    blocks: output.imports.some(({ path }) => path.startsWith('berth:')),
    management: own.some((path) => /\.workflow\s*\./.test(readFileSync(path, 'utf8'))),
  };
}

function guestSource(app, features, script) {
  const modules = modulesOf(features, script);
  const doors = modules.flatMap(({ interfaces }) => interfaces).join(', ');
  const lines = [
    "import '@berth/dapr/runtime/prelude';",
    // A script starts anew in every instance. What calls no block has no use for most of it, and more memory to write to.
    ...(features.blocks && !script ? ["import '@berth/dapr/runtime/warm';"] : []),
    ...(features.management ? ["import '@berth/dapr/workflow/management';"] : []),
    `import * as app from ${app};`,
    "import { report } from '@berth/dapr/runtime/report';",
    ...(features.http ? ["import { useFetch } from '@berth/dapr/guest/http';", 'useFetch(app);'] : []),
    ...(features.http && !script ? ["import '@berth/dapr/guest/fetch-event';"] : []),
    ...modules.map(({ module, interfaces }) => `import { ${interfaces.join(', ')} } from '${module}';`),
    script ? `BERTH_OFFER({ ${doors} });\nawait report(app);` : `export { ${doors} };\nreport(app);`,
  ];
  return lines.join('\n');
}
