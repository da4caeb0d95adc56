// berth:invocation/invoker, with canned answers by `app/method`.

import { refusal, world } from './world.js';

export function invoke(appId, request) {
  world.invoked.push({ appId, ...request });
  const answer = world.answers.get(`${appId}/${request.method}`);
  if (!answer) throw refusal('not-found', `no app ${appId}`);
  const { status = 200, body = '' } = typeof answer === 'function' ? answer(request) : answer;
  return { status, headers: [], body: new TextEncoder().encode(body) };
}
