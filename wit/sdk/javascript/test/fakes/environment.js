// wasi:cli/environment.

import { world } from './world.js';

export const getEnvironment = () => world.environment;
