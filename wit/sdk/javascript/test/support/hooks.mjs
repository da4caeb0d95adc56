// Resolves what only a host has, and takes the types out of TypeScript. BERTH_TOOLS names the folder with the toolchain.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const FAKES = {
  'berth:state/store': 'state.js',
  'berth:pubsub/publisher': 'pubsub.js',
  'berth:invocation/invoker': 'invocation.js',
  'berth:secrets/store': 'secrets.js',
  'berth:workflow/context': 'workflow-context.js',
  'berth:workflow/client': 'workflow-client.js',
  'wasi:cli/environment': 'environment.js',
  'wasi:cli/exit': 'exit.js',
  'wasi:http/types': 'http.js',
};

export async function resolve(specifier, context, next) {
  if (specifier === '@dapr/dapr') return next(new URL('../../src/index.js', import.meta.url).href, context);
  const fake = FAKES[specifier.split('@')[0]];
  if (fake) return next(new URL(`../fakes/${fake}`, import.meta.url).href, context);
  const typescript = specifier.startsWith('.') && new URL(`${specifier}.ts`, context.parentURL);
  return typescript && existsSync(typescript) ? next(typescript.href, context) : next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const path = fileURLToPath(url);
  const source = esbuild().transformSync(readFileSync(path, 'utf8'), { loader: 'ts', format: 'esm', sourcefile: path, sourcemap: 'inline' });
  return { format: 'module', source: source.code, shortCircuit: true };
}

const esbuild = () => createRequire(`${process.env.BERTH_TOOLS}/javascript/`)('esbuild');
