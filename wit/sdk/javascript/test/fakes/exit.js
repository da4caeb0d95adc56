// wasi:cli/exit, which never returns.

export function exit({ tag }) {
  throw new Error(`the guest has ended: ${tag}`);
}
