// `node:crypto`, as far as guests need it.

export const webcrypto = crypto;
export const randomUUID = () => crypto.randomUUID();
export const getRandomValues = (array) => crypto.getRandomValues(array);
export default { webcrypto, randomUUID, getRandomValues };
