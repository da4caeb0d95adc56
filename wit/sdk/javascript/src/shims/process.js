// `node:process`.

const { process } = globalThis;
export const { env, exit, argv, cwd, nextTick } = process;
export default process;
