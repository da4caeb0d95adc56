// Checks the types of a program: node check.mjs PROJECT ENTRY COLOURS. Prints what the compiler says, and ends with 1 if it
// is an error.

import { checkTypes } from './types.mjs';

const [project, entry, colours] = process.argv.slice(2);
process.exitCode = checkTypes(project, entry, colours === 'colours') ? 0 : 1;
