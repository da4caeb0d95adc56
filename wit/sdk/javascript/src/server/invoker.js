// Methods for other apps.

import { listeners, mayRegister } from '../runtime/registry.js';

const VERBS = new Set(['get', 'delete', 'post', 'put', 'patch']);

export const invoker = {
  /**
   * Offers a method. As in the official SDK: GET unless the options say otherwise, and the answer is what the handler
   * gives, as JSON. A handler may also give a `Response`, and a path may have parameters: `orders/:id` (`data.params.id`).
   */
  async listen(methodName, handler, options = {}) {
    const verb = (options.method ?? 'get').toLowerCase();
    if (!VERBS.has(verb)) throw new TypeError(`invoker.listen: the verb \`${options.method}\` is not one of HttpMethod`);
    if (typeof handler !== 'function') throw new TypeError(`invoker.listen: the handler of ${methodName} is no function`);
    const segments = methodName.split('/').filter((segment) => segment !== '');
    const path = segments.join('/');
    const known = listeners.some((other) => other.verb === verb.toUpperCase() && other.segments.join('/') === path);
    if (mayRegister(known, `the method ${verb.toUpperCase()} /${path}`)) {
      listeners.push({ verb: verb.toUpperCase(), segments, handler });
    }
  },
};
