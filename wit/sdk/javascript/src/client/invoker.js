// Calls to other apps.

import { invoke as invokeApp } from 'berth:invocation/invoker@0.1.0';
import { DaprError, attempt } from '../errors.js';
import { decode, encode, textOfBytes } from '../payload.js';
import { call } from '../runtime/phase.js';

export const invoker = {
  /** Calls a method of an app; its answer is parsed if it is JSON. A status from 400 on is thrown as a DaprError. */
  invoke(appId, methodName, method = 'get', data = undefined, options = {}) {
    return call(`invoker.invoke of ${appId}`, () => {
      const response = attempt(() => invokeApp(appId, request(methodName, method, data, options)));
      if (response.status >= 400) throw new DaprError('answered', textOfBytes(response.body), response.status);
      return decode(response.body);
    });
  },
};

function request(methodName, method, data, options) {
  const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value)]);
  const given = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  const body = encode(data, given);
  if (!given && body.contentType) headers.push(['content-type', body.contentType]);
  const [path, ...query] = methodName.split('?');
  return {
    method: path,
    verb: method.toUpperCase(),
    headers,
    query: query.length > 0 ? query.join('?') : undefined,
    body: body.data,
    timeoutMs: options.timeoutMs,
    metadata: [],
  };
}
