import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { DaprWorkflowClient, TaskFailedError, WorkflowRuntime, WorkflowRuntimeStatus } from '@dapr/dapr';
import { activities, registry, workflows } from '../src/guest/workflows.js';
import { workflows as registered } from '../src/runtime/registry.js';
import { reset, world } from './fakes/world.js';

beforeEach(() => {
  reset();
  registered.clear();
});

const encode = (value) => ({ data: value === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(value)) });
const decode = ({ data }) => (data.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(data)));

// Registered behind the back of the runtime, which takes nothing once the guest serves.
async function run(workflow, input, bodies = {}) {
  registered.set('workflow', workflow);
  for (const [name, body] of Object.entries(bodies)) world.activities.set(name, body);
  return decode(await workflows.run('workflow', encode(input)));
}

const double = (n) => 2 * n;
const fail = () => {
  throw new RangeError('too much');
};

const styles = {
  'a generator': function* sum(ctx, n) {
    return (yield ctx.callActivity('double', n)) + (yield ctx.callActivity('double', 1));
  },
  'an async generator': async function* sum(ctx, n) {
    return (yield ctx.callActivity('double', n)) + (yield ctx.callActivity('double', 1));
  },
  'an async function': async (ctx, n) => await ctx.callActivity('double', n) + await ctx.callActivity('double', 1),
};
for (const [style, workflow] of Object.entries(styles)) {
  test(`${style} is a workflow`, async () => {
    assert.equal(await run(workflow, 4, { double }), 10);
    assert.deepEqual(world.asked, ['activity double', 'activity double']);
  });
}

const catching = {
  'a generator': function* compensate(ctx) {
    try {
      yield ctx.callActivity('fail');
    } catch (error) {
      return [error instanceof TaskFailedError, error.message, error.details.errorType];
    }
  },
  'an async generator': async function* compensate(ctx) {
    try {
      yield ctx.callActivity('fail');
    } catch (error) {
      return [error instanceof TaskFailedError, error.message, error.details.errorType];
    }
  },
  'an async function': async (ctx) => {
    try {
      await ctx.callActivity('fail');
    } catch (error) {
      return [error instanceof TaskFailedError, error.message, error.details.errorType];
    }
  },
};
for (const [style, workflow] of Object.entries(catching)) {
  test(`${style} catches what failed`, async () => {
    assert.deepEqual(await run(workflow, undefined, { fail }), [true, 'too much', 'RangeError']);
  });
}

const racing = {
  'a generator': function* race(ctx) {
    const [approval, deadline] = [ctx.waitForExternalEvent('approval'), ctx.createTimer(60)];
    const winner = yield ctx.whenAny([approval, deadline]);
    return winner === approval ? winner.getResult() : 'late';
  },
  'an async generator': async function* race(ctx) {
    const [approval, deadline] = [ctx.waitForExternalEvent('approval'), ctx.createTimer(60)];
    const winner = yield ctx.whenAny([approval, deadline]);
    return winner === approval ? winner.getResult() : 'late';
  },
  'an async function': async (ctx) => {
    const [approval, deadline] = [ctx.waitForExternalEvent('approval'), ctx.createTimer(60)];
    const winner = await ctx.whenAny([approval, deadline]);
    return winner === approval ? await approval : 'late';
  },
  'an async function with Promise.race': async (ctx) => Promise.race([
    ctx.waitForExternalEvent('approval'), ctx.createTimer(60).then(() => 'late'),
  ]),
};
for (const [style, workflow] of Object.entries(racing)) {
  test(`${style} takes what ends first, and waits for nothing else`, async () => {
    world.events.push({ name: 'approval', data: 'yes' });
    assert.equal(await run(workflow), 'yes');
    assert.equal(world.nowMs, 0);
    world.asked.length = 0;
    assert.equal(await run(workflow), 'late');
    assert.equal(world.nowMs, 60_000);
  });
}

test('everything is begun before the first result is waited for', async () => {
  const order = [];
  const note = (name) => (n) => order.push(`${name} ${n} after ${world.asked.length}`) && n;
  const workflow = async (ctx) => Promise.all([1, 2, 3].map(async (n) => (await ctx.callActivity('note', n)) + (await ctx.callActivity('note', 10 * n))));
  assert.deepEqual(await run(workflow, undefined, { note: note('note') }), [11, 22, 33]);
  assert.match(order[0], /after 3$/);
});

test('whenAll gives all results, or the first failure', async () => {
  const all = function* all(ctx) {
    return yield ctx.whenAll([1, 2, 3].map((n) => ctx.callActivity('double', n)));
  };
  assert.deepEqual(await run(all, undefined, { double }), [2, 4, 6]);
  const broken = async (ctx) => ctx.whenAll([ctx.callActivity('double', 1), ctx.callActivity('fail')]);
  await assert.rejects(run(broken, undefined, { double, fail }), ({ payload }) => payload.kind === 'RangeError');
});

test('an activity has one attempt, unless a policy says otherwise', async () => {
  await run(async (ctx) => ctx.callActivity('double', 1), undefined, { double });
  assert.equal(world.lastOptions.retry.maxAttempts, 1);
  const retry = { maxAttempts: 5, firstIntervalMs: 10, nonRetryable: ['RangeError'] };
  await run(async (ctx) => ctx.callActivity('double', 1, { retry, startToCloseMs: 1000 }), undefined, { double });
  const { retry: policy, startToCloseMs } = world.lastOptions;
  assert.deepEqual([policy.maxAttempts, policy.firstIntervalMs, policy.nonRetryable, startToCloseMs], [5, 10n, ['RangeError'], 1000n]);
});

test('a workflow that throws fails with the name of the error', async () => {
  const failed = run(async () => {
    throw Object.assign(new TypeError('no'), { nonRetryable: true });
  });
  await assert.rejects(failed, ({ payload }) => {
    assert.deepEqual(payload, { kind: 'TypeError', message: 'no', nonRetryable: true });
    return true;
  });
});

test('the context has identity, time, status and a next run', async () => {
  const result = await run(async (ctx) => {
    ctx.setCustomStatus('on it');
    ctx.continueAsNew({ n: 2 }, true);
    await ctx.createTimer(new Date(5_000));
    return [ctx.instanceId, ctx.getWorkflowInstanceId(), ctx.getCurrentUtcDateTime().toISOString(), ctx.isReplaying()];
  });
  assert.deepEqual(result, ['instance-1', 'instance-1', '1970-01-01T00:00:05.000Z', false]);
  assert.equal(world.status, 'on it');
  assert.deepEqual(world.next, { input: { n: 2 }, keepEvents: true, metadata: [] });
});

test('a child and an event with a timeout', async () => {
  const workflow = async (ctx) => {
    const child = await ctx.callSubWorkflow('double', 4, 'child-1');
    const late = await ctx.waitForExternalEvent('never', { timeoutInSeconds: 1 }).catch(({ code }) => code);
    return [child, late];
  };
  assert.deepEqual(await run(workflow, undefined, { double }), [8, 'timeout']);
});

test('an activity is told who asks', async () => {
  const { activities: bodies } = await import('../src/runtime/registry.js');
  bodies.set('tell', async (ctx, input) => [ctx.getWorkflowInstanceId(), ctx.getWorkflowActivityId(), ctx.idempotencyKey, input]);
  const task = { instanceId: 'i', appId: 'a', taskId: '7', attempt: 1, idempotencyKey: 'k', metadata: [] };
  assert.deepEqual(decode(await activities.run(task, 'tell', encode('x'))), ['i', 7, 'k', 'x']);
  await assert.rejects(activities.run(task, 'nobody', encode()), ({ payload }) => payload.nonRetryable);
  assert.ok(registry.activities().includes('tell'));
});

test('the client starts, shows and ends instances', async () => {
  const client = new DaprWorkflowClient({ daprPort: '50001' });
  async function named() {}
  const id = await client.scheduleNewWorkflow(named, { n: 1 }, 'w1', new Date(1000));
  const state = await client.waitForWorkflowCompletion(id, undefined, 30);
  assert.equal(world.waitedMs, 30_000n);
  assert.deepEqual([state.name, state.runtimeStatus, state.serializedOutput, state.createdAt.getTime()], ['named', WorkflowRuntimeStatus.COMPLETED, '{"n":1}', 1000]);
  await assert.rejects(client.scheduleNewWorkflow('named', 1, 'w1'), { code: 'exists' });
  await client.terminateWorkflow(id, { why: 'test' });
  assert.equal((await client.getWorkflowState(id, true)).runtimeStatus, WorkflowRuntimeStatus.TERMINATED);
  assert.equal(await client.purgeWorkflow(id), true);
  assert.equal(await client.getWorkflowState(id, true), undefined);
});

test('what is registered too late is refused', () => {
  assert.throws(() => new WorkflowRuntime().registerActivityWithName('late', () => {}), /too late/);
  assert.throws(() => new WorkflowRuntime().registerWorkflow(async () => {}), /needs a name/);
});
