// berth:telemetry.

import { Span, addEvent, isRecorded, setAttribute, traceparent } from 'berth:telemetry/tracing@0.1.0';
import { expect } from './expect.js';

// Trace ID and span ID of where the guest stands.
const here = () => traceparent().split('-').slice(1, 3);

export const checks = {
  'telemetry.recorded': () => {
    expect(isRecorded(), 'nothing is recorded');
    expect(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/.test(traceparent()), traceparent());
  },

  'telemetry.span': () => {
    const before = here();
    const span = Span.start('contract-span');
    span.setAttribute('text', { tag: 'text', val: 't' });
    span.setAttribute('integer', { tag: 'integer', val: 2n });
    span.setAttribute('number', { tag: 'number', val: 0.5 });
    span.setAttribute('boolean', { tag: 'boolean', val: true });
    span.addEvent('checked', [['n', { tag: 'integer', val: 1n }]]);
    const within = here();
    span[Symbol.dispose]();
    const after = here();
    expect(before[0] === within[0] && before[1] !== within[1], [before, within]);
    expect(String(after) === String(before), [before, after]);
  },

  'telemetry.request': (run) => {
    setAttribute('contract', { tag: 'text', val: run.id });
    addEvent('contract-event', []);
  },
};
