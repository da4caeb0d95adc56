// Runs a workflow: a function, an async function, a generator or an async generator.

import { Task } from './task.js';

/** Runs it to its end and gives what it returns. */
export async function drive(workflow, context, input) {
  try {
    return await run(workflow, context, input);
  } finally {
    context.end();
  }
}

async function run(workflow, context, input) {
  const running = workflow(context, input);
  if (typeof running?.next !== 'function') return running;
  let step = { method: 'next', value: undefined };
  for (;;) {
    const { done, value } = await running[step.method](step.value);
    if (done) return value;
    step = typeof running[Symbol.asyncIterator] === 'function' ? { method: 'next', value } : await outcome(value);
  }
}

// An async generator has awaited what it yields; a plain one has not.
async function outcome(yielded) {
  if (!(yielded instanceof Task)) throw new TypeError('a workflow yields tasks of its context, such as ctx.callActivity(...)');
  try {
    return { method: 'next', value: await yielded };
  } catch (error) {
    return { method: 'throw', value: error };
  }
}
