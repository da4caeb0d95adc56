"""The saga, with a host that is made of fakes: ../../../wit/sdk/python/test/fakes."""

import json
import unittest

import shop.activities  # noqa: F401
from berth_guest import phase
from berth_guest.workflows import BerthWorkflowActivities010, BerthWorkflowWorkflows010
from componentize_py_types import Err
from fakes import reset, world
from shop import ledger
from wit_world.exports.berth_workflow_activities_0_1_0 import Task
from wit_world.imports.berth_workflow_types_0_1_0 import Payload

ORDER = {"orderId": "o1", "customerId": "ada", "items": [{"sku": "tea", "qty": 2}], "totalCents": 100, "status": "placed"}


def payload(value=None):
    return Payload(b"" if value is None else json.dumps(value).encode(), None)


def run(order):
    return json.loads(BerthWorkflowWorkflows010().run("order", payload(order)).data)


def attempt(effect, order=ORDER, key=None):
    BerthWorkflowActivities010().run(Task("o1", "a", "1", 1, key or effect, []), effect, payload(order))


class Saga(unittest.TestCase):
    def setUp(self):
        reset()
        phase.enter_service()
        for name in ("reserve", "release", "pay", "refund", "fulfil"):
            world.activities[name] = lambda _: payload()

    def test_an_order_is_reserved_paid_and_fulfilled(self):
        self.assertEqual(run(ORDER), {"orderId": "o1", "status": "confirmed"})
        self.assertEqual(world.asked, ["activity reserve", "activity pay", "activity fulfil"])
        self.assertEqual(world.status, "confirmed")

    def test_when_a_step_fails_what_was_done_is_undone_the_last_first(self):
        def refuse(_):
            raise ValueError("no")

        for step, done in (("reserve", ["release"]), ("pay", ["refund", "release"]), ("fulfil", ["refund", "release"])):
            self.setUp()
            world.activities[step] = refuse
            with self.assertRaises(Err) as raised:
                run(ORDER)
            self.assertEqual(raised.exception.value.kind, "ValueError")
            after = world.asked[world.asked.index(f"activity {step}") + 1 :]
            self.assertEqual(after, [f"activity {undo}" for undo in done])
            self.assertEqual(world.status, "undone")

    def test_a_large_order_waits_for_its_approval_and_is_undone_without_one(self):
        large = ORDER | {"totalCents": 100_000}
        world.events.append(("approved", payload()))
        self.assertEqual(run(large)["status"], "confirmed")
        with self.assertRaises(Err) as raised:
            run(large)
        self.assertEqual(raised.exception.value.kind, "TimeoutError")
        self.assertEqual(world.asked[-1], "activity release")

    def test_what_the_world_refuses_is_final_what_is_down_is_not(self):
        world.answers["inventory-service/reserve"] = (409, '{"error": "out-of-stock", "message": "too few are left"}')
        with self.assertRaises(Err) as raised:
            attempt("reserve")
        failure = raised.exception.value
        self.assertEqual((failure.kind, failure.message, failure.non_retryable), ("out-of-stock", "too few are left", True))
        world.answers["inventory-service/reserve"] = (500, "oops")
        with self.assertRaises(Err) as raised:
            attempt("reserve")
        self.assertFalse(raised.exception.value.non_retryable)
        with self.assertRaises(Err) as raised:
            attempt("pay", ORDER | {"customerId": "broke"})
        self.assertEqual(raised.exception.value.kind, "payment-refused")

    def test_an_effect_is_in_the_ledger_once_however_often_its_activity_ran(self):
        attempt("pay")
        attempt("pay")
        attempt("refund")
        entries = ledger.read("o1")["entries"]
        self.assertEqual([(entry["effect"], entry["attempts"]) for entry in entries], [("pay", 2), ("refund", 1)])


if __name__ == "__main__":
    unittest.main()
