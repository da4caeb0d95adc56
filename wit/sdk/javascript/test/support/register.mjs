// Gives the imports of the host to Node: `berth:state/store@0.1.0` is test/fakes/state.js, and so on.

import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
