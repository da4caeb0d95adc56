import unittest

from shop.carts import expected_etag
from shop.failure import Failure
from shop.merge_patch import merge
from shop.order import read_order

TEA, CUP = {"sku": "tea", "qty": 2}, {"sku": "cup", "qty": 1}
VALID = {"orderId": "order-1", "customerId": "ada", "items": [TEA, CUP], "totalCents": 1850}


def read(**changes):
    return read_order(VALID | changes, lambda: "new")


class Orders(unittest.TestCase):
    def test_a_new_order_is_placed_and_has_an_id(self):
        self.assertEqual(read(), VALID | {"status": "placed"})
        self.assertEqual(read(orderId=None)["orderId"], "new")

    def test_what_is_wrong_is_named(self):
        cases = [
            ({"orderId": "a||b"}, "orderId"),
            ({"orderId": 7}, "orderId"),
            ({"customerId": "  "}, "customerId"),
            ({"customerId": None}, "customerId"),
            ({"items": []}, "items"),
            ({"items": "tea"}, "items"),
            ({"items": [TEA, "cup"]}, "items[1].sku"),
            ({"items": [TEA | {"sku": ""}, CUP]}, "items[0].sku"),
            ({"items": [TEA | {"qty": 0}, CUP]}, "items[0].qty"),
            ({"items": [TEA, CUP | {"qty": 1.5}]}, "items[1].qty"),
            ({"items": [TEA, CUP | {"qty": True}]}, "items[1].qty"),
            ({"totalCents": -1}, "totalCents"),
        ]
        for changes, field in cases:
            with self.assertRaises(Failure) as raised:
                read(**changes)
            self.assertEqual((raised.exception.status, raised.exception.body["field"]), (400, field))
        with self.assertRaises(Failure):
            read_order([VALID], lambda: "new")

    def test_an_etag_is_read_with_and_without_quotes(self):
        for written in ("17", '"17"', 'W/"17"', ' "17" '):
            self.assertEqual(expected_etag(written), "17")
        self.assertIsNone(expected_etag("*"))
        self.assertIsNone(expected_etag(None))

    def test_the_examples_of_rfc_7396_hold(self):
        cases = [
            ({"a": "b"}, {"a": "c"}, {"a": "c"}),
            ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
            ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
            ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
            ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
            (["a", "b"], ["c"], ["c"]),
            ({"a": "foo"}, None, None),
            ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
            ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ]
        for target, patch, expected in cases:
            self.assertEqual(merge(target, patch), expected)


if __name__ == "__main__":
    unittest.main()
