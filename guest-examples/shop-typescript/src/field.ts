// JSON from outside, checked field by field.

import { Failure } from "./failure";

// Longest identifier and shortest limit of every store that the shop may run on.
const ID_LENGTH_MAX = 128;
const ID = /^[A-Za-z0-9._:@-]{1,128}$/;

/** A value that knows where it stands, so that a refusal can name it: `items[0].qty`. */
export class Field {
  private constructor(private readonly path: string, private readonly value: unknown) {}

  /** The outermost value. It has no name; a refusal calls it `body`. */
  static body(value: unknown): Field {
    return new Field("", value);
  }

  /** A field of an object. Whether it must be there is decided by what it is read as; null is absent. */
  get(name: string): Field {
    const value = isObject(this.value) ? this.value[name] : undefined;
    return new Field(this.path === "" ? name : `${this.path}.${name}`, value ?? undefined);
  }

  get isAbsent(): boolean {
    return this.value === undefined;
  }

  /** An identifier that is safe in a path and in a key. */
  id(): string {
    if (typeof this.value === "string" && ID.test(this.value)) return this.value;
    throw this.refused(`must be a text of 1 to ${ID_LENGTH_MAX} letters, digits and \`.\`, \`_\`, \`-\`, \`:\`, \`@\``);
  }

  /** A text that is not blank. */
  text(lengthMax: number): string {
    if (typeof this.value === "string" && this.value.trim() !== "" && [...this.value].length <= lengthMax) return this.value;
    throw this.refused(`must be a text of 1 to ${lengthMax} characters`);
  }

  whole(min: number, max: number): number {
    const number = this.value;
    if (typeof number === "number" && Number.isInteger(number) && number >= min && number <= max) return number;
    throw this.refused(`must be a whole number from ${min} to ${max}`);
  }

  /** The elements of a list, read one by one. */
  list<T>(min: number, max: number, read: (element: Field) => T): T[] {
    if (!Array.isArray(this.value) || this.value.length < min || this.value.length > max) {
      throw this.refused(`must be a list of ${min} to ${max} elements`);
    }
    return this.value.map((element, index) => read(new Field(`${this.path}[${index}]`, element ?? undefined)));
  }

  /** An object, as it is. */
  object(): Record<string, unknown> {
    if (isObject(this.value)) return this.value;
    throw this.refused("must be a JSON object");
  }

  private refused(message: string): Failure {
    return Failure.invalid(this.path || "body", message);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
