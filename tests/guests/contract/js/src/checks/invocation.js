// berth:invocation.

import { invoke } from 'berth:invocation/invoker@0.1.0';
import { bytes, expect, refused } from './expect.js';

const ECHO = '{"verb":"POST","path":"/echo","query":"x=1","body":"ping",'
  + '"headers":{"content-type":"text/plain","x-contract":"yes"}}';

const request = (verb, method) => ({ method, verb, headers: [], body: new Uint8Array(), metadata: [] });

export const checks = {
  'invocation.invoke': (run) => {
    const response = invoke(run.appId, {
      ...request('POST', 'echo'),
      headers: [['content-type', 'text/plain'], ['x-contract', 'yes']],
      query: 'x=1',
      body: bytes('ping'),
      timeoutMs: 5000,
    });
    const body = new TextDecoder().decode(response.body);
    expect(response.status === 201 && body === ECHO, `${response.status} ${body}`);
  },

  'invocation.status': (run) => {
    const { status } = invoke(run.appId, request('GET', 'nowhere'));
    expect(status === 404, `status ${status}`);
  },

  'invocation.unknown-app': () => {
    refused('not-found', () => invoke('no-such-app', request('GET', 'echo')));
  },

  'invocation.bad-verb': (run) => {
    refused('invalid', () => invoke(run.appId, request('NO VERB', 'echo')));
  },
};
