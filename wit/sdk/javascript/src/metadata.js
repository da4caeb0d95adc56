// Metadata of the official SDK: an object of anything, here a list of pairs of text.

/** An object as a list of pairs, without the names that have a field of their own in the WIT. */
export function toList(metadata, without = []) {
  return Object.entries(metadata ?? {})
    .filter(([name, value]) => value !== undefined && value !== null && !without.includes(name))
    .map(([name, value]) => [name, String(value)]);
}

/** A list of pairs as an object. */
export const fromList = (list) => Object.fromEntries(list);

/** A whole number of seconds above zero, or nothing. */
export function seconds(value) {
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : undefined;
}

export const isTrue = (value) => value === true || value === 1 || /^(1|t|true|y|yes|on)$/i.test(String(value ?? ''));
