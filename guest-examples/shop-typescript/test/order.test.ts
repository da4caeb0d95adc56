import assert from "node:assert/strict";
import { test } from "node:test";
import { expectedEtag } from "../src/carts";
import type { Failure } from "../src/failure";
import { merge } from "../src/merge-patch";
import { readOrder } from "../src/order";

const valid = { orderId: "order-1", customerId: "ada", items: [{ sku: "tea", qty: 2 }, { sku: "cup", qty: 1 }], totalCents: 1850 };
const read = (body: unknown) => readOrder(body, () => "new");

test("a new order is placed, and has an ID", () => {
  assert.deepEqual(read(valid), { ...valid, status: "placed" });
  assert.equal(read({ ...valid, orderId: null }).orderId, "new");
  assert.equal(read({ ...valid, orderId: undefined }).orderId, "new");
});

test("what is wrong is named", () => {
  const [tea, cup] = valid.items;
  const cases: [unknown, string][] = [
    [{ ...valid, orderId: "a||b" }, "orderId"],
    [{ ...valid, orderId: 7 }, "orderId"],
    [{ ...valid, customerId: "  " }, "customerId"],
    [{ ...valid, customerId: null }, "customerId"],
    [{ ...valid, items: [] }, "items"],
    [{ ...valid, items: "tea" }, "items"],
    [{ ...valid, items: [tea, "cup"] }, "items[1].sku"],
    [{ ...valid, items: [{ ...tea, sku: "" }, cup] }, "items[0].sku"],
    [{ ...valid, items: [{ ...tea, qty: 0 }, cup] }, "items[0].qty"],
    [{ ...valid, items: [tea, { ...cup, qty: 1.5 }] }, "items[1].qty"],
    [{ ...valid, totalCents: -1 }, "totalCents"],
    [[valid], "body"],
  ];
  for (const [body, field] of cases) {
    assert.throws(() => read(body), (failure: Failure) => failure.status === 400 && failure.body.field === field, field);
  }
});

test("an etag is read with and without quotes", () => {
  for (const written of ["17", '"17"', 'W/"17"', ' "17" ']) assert.equal(expectedEtag(written), "17");
  assert.equal(expectedEtag("*"), undefined);
  assert.equal(expectedEtag(null), undefined);
});

test("the examples of RFC 7396 hold", () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [["a", "b"], ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of cases) assert.deepEqual(merge(target, patch), expected);
});
