// Checks the types of a program: node check.mjs PROJECT ENTRY COLOURS. Prints what the compiler says, and ends with 1 if it
// is an error.

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const [project, entry, colours] = process.argv.slice(2);
const types = resolve(dirname(fileURLToPath(import.meta.url)), '../types');

// For projects without a tsconfig.json: strict, and the surroundings that a guest has.
const DEFAULTS = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  strict: true,
  allowJs: true,
};

const host = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => process.cwd(),
  getNewLine: () => '\n',
};

function read(config) {
  const { config: content, error } = ts.readConfigFile(config, ts.sys.readFile);
  if (error) return { options: {}, errors: [error] };
  return ts.parseJsonConfigFileContent(content, ts.sys, project, undefined, config);
}

const config = join(project, 'tsconfig.json');
const given = existsSync(config) ? read(config) : { options: DEFAULTS, errors: [] };
const errors = given.errors.filter(({ code }) => code !== 18003); // no files of its own: the entry is what is built
const ours = join(types, 'index.d.ts');
const options = {
  ...given.options,
  noEmit: true,
  composite: false,
  incremental: false,
  skipLibCheck: true,
  paths: { ...given.options.paths, '@dapr/dapr': [ours], '@berth/dapr': [ours] },
  pathsBasePath: given.options.pathsBasePath ?? project,
};
// Projects that have Node's types keep them.
const nodeTypes = existsSync(join(project, 'node_modules/@types/node'));
const files = [entry, ...(nodeTypes ? [] : [join(types, 'globals.d.ts')])];
const diagnostics = errors.length > 0 ? errors : ts.getPreEmitDiagnostics(ts.createProgram(files, options));
const format = colours === 'colours' ? ts.formatDiagnosticsWithColorAndContext : ts.formatDiagnostics;
process.stderr.write(format(diagnostics, host));
process.exitCode = diagnostics.some(({ category }) => category === ts.DiagnosticCategory.Error) ? 1 : 0;
