// Uses the language while the guest is built. The engine makes its built-in classes, and the functions of its own that are
// written in JavaScript, when they are first used: without this every fresh instance would do so again in its call. Twice,
// since the bindings to the host live in a realm of their own, to which any of their functions leads.

import { getEnvironment } from 'wasi:cli/environment@0.2.10';

// A text, as a function belongs to the realm that it was written in.
const PROGRAM = `(async () => {
  for (const name of Object.getOwnPropertyNames(globalThis)) globalThis[name];
  const seen = [];
  async function* many() { yield 1; yield 2; }
  function* few() { yield* [1, 2]; }
  for await (const one of many()) seen.push(one);
  for (const one of few()) seen.push(one);
  for (const [key, value] of new Map([[1, 2]])) seen.push(key, value);
  for (const one of new Set([3])) seen.push(one);
  const [first, ...others] = seen.entries();
  const { length, ...rest } = { length: first.length, others };
  seen.map((one) => one + 1).filter((one) => one > 1).find((one) => one === length);
  seen.some((one) => one > 2); seen.every((one) => one > 0); seen.reduce((sum, one) => sum + one, 0); seen.includes(3);
  seen.forEach((one) => one); seen.sort(); seen.slice(1).concat(seen).join(); Array.from(seen); Array.isArray(seen);
  for (const character of 'ab') seen.push(character);
  'Abc d'.toLowerCase().split(' ').join('-').replace('b', 'c').replaceAll('c', 'd').trim().slice(1).padStart(9);
  'a1'.match(/[a-z](\\d)/)[1].startsWith('1'); 'a1'.replace(/\\d/g, (digit) => digit); /a/.test('b'); 'a'.charCodeAt(0);
  JSON.parse(JSON.stringify({ a: [1, 'b', null, true, rest] })); Object.fromEntries(Object.entries({ a: 1 }));
  Object.keys({ a: 1 }); Object.values({ a: 1 }); Object.assign({}, { a: 1 });
  const bytes = new Uint8Array(new ArrayBuffer(16), 0, 8);
  bytes.set([1, 2]); bytes.slice(1).subarray(1); for (const byte of bytes) seen.push(byte);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 1, true); view.getUint32(0, true); view.setInt32(0, 1, true); view.getInt32(0, true);
  view.setUint16(0, 1, true); view.getUint16(0, true); view.setUint8(0, 1); view.getUint8(0);
  BigInt.asUintN(64, BigInt(3)) + 1n; Number.isInteger(3); Math.max(1, 2); encodeURIComponent(decodeURIComponent('a%20b'));
  new Date(0).toISOString(); String(Symbol.iterator); new WeakMap().set(seen, 1).get(seen);
  await Promise.all([1, Promise.resolve(2)]);
  await new Promise((resolve) => resolve(1)).then((one) => one).finally(() => {});
  await Promise.reject(new TypeError('none')).catch((error) => error.message);
})()`;

for (const realm of [Function, getEnvironment.constructor]) realm(`return ${PROGRAM}`)();
