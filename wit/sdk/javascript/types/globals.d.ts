// What of Node.js a guest has. For projects without `@types/node`.

declare const process: {
  /** Read inside functions: at the top level of a module, while the guest is built, nothing is set. */
  env: { [name: string]: string | undefined };
  argv: string[];
  cwd(): string;
  exit(code?: number): never;
  nextTick(callback: (...args: any[]) => void, ...args: any[]): void;
  on(event: string, listener: (...args: any[]) => void): typeof process;
  once(event: string, listener: (...args: any[]) => void): typeof process;
  off(event: string, listener: (...args: any[]) => void): typeof process;
  readonly platform: string;
  readonly version: string;
  readonly pid: number;
  uptime(): number;
};

declare module "node:crypto" {
  export function randomUUID(): string;
  export const webcrypto: Crypto;
}

declare module "crypto" {
  export function randomUUID(): string;
  export const webcrypto: Crypto;
}
