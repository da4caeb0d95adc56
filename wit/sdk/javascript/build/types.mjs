// Checks the types of programs.

import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

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

const formatting = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => process.cwd(),
  getNewLine: () => '\n',
};

/** Checks a program and prints what the compiler says. False: there is an error. */
export function checkTypes(project, entry, colours) {
  const { options, errors } = settingsOf(project);
  // Projects that have Node's types keep them.
  const nodeTypes = existsSync(join(project, 'node_modules/@types/node'));
  const files = [entry, ...(nodeTypes ? [] : [join(types, 'globals.d.ts')])];
  const diagnostics = errors.length > 0 ? errors : ts.getPreEmitDiagnostics(programOf(files, options));
  const format = colours ? ts.formatDiagnosticsWithColorAndContext : ts.formatDiagnostics;
  process.stderr.write(format(diagnostics, formatting));
  return !diagnostics.some(({ category }) => category === ts.DiagnosticCategory.Error);
}

function settingsOf(project) {
  const config = join(project, 'tsconfig.json');
  const given = existsSync(config) ? read(project, config) : { options: DEFAULTS, errors: [] };
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
  // No files of its own: the entry is what is built.
  return { options, errors: given.errors.filter(({ code }) => code !== 18003) };
}

function read(project, config) {
  const { config: content, error } = ts.readConfigFile(config, ts.sys.readFile);
  if (error) return { options: {}, errors: [error] };
  return ts.parseJsonConfigFileContent(content, ts.sys, project, undefined, config);
}

// Files that have not changed since the last check are not parsed again: by far the most of it are the standard library's.
const parsed = new Map();
let before;

function programOf(files, options) {
  const host = ts.createCompilerHost(options);
  const parse = host.getSourceFile.bind(host);
  host.getSourceFile = (name, settings, ...rest) => {
    const state = JSON.stringify([stateOf(name), settings]);
    const known = parsed.get(name);
    if (known?.state === state) return known.file;
    const file = parse(name, settings, ...rest);
    parsed.set(name, { state, file });
    return file;
  };
  before = ts.createProgram(files, options, host, before);
  return before;
}

function stateOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && [stat.mtimeMs, stat.size];
}
