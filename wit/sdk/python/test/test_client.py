import asyncio
import json
import unittest
from contextlib import contextmanager

import grpc
from berth_guest import phase
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import BulkPublishEntry, DaprClient, DaprGrpcError, DaprHttpError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, StateItem, StateOptions
from fakes import reset, world

FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


class WhileBuilding(unittest.TestCase):
    def test_a_call_is_refused_with_what_to_do(self):
        phase._serving = False
        with self.assertRaisesRegex(RuntimeError, "get_state is called while the guest is built.*handler"):
            DaprClient().get_state("statestore", "k")


class Client(unittest.TestCase):
    def setUp(self):
        reset()
        phase.enter_service()
        self.client = DaprClient()

    @contextmanager
    def raises(self, code):
        with self.assertRaises(DaprGrpcError) as raised:
            yield
        self.assertIs(raised.exception.code(), code)

    def test_state_comes_back_as_it_was_written(self):
        with DaprClient() as client:
            client.save_state("statestore", "k", "text", state_metadata={"ttlInSeconds": "60", "x": "1"})
            found = client.get_state("statestore", "k")
        self.assertEqual((found.data, found.text(), found.etag), (b"text", "text", "1"))
        self.assertEqual(world.stores["statestore"]["k"].metadata, [("ttl", "60"), ("x", "1")])
        self.client.save_state(store_name="statestore", key="j", value=json.dumps({"a": 1}).encode())
        self.assertEqual(self.client.get_state("statestore", "j").json(), {"a": 1})

    def test_what_is_not_there_has_no_bytes_and_no_etag(self):
        found = self.client.get_state("statestore", "none")
        self.assertEqual((found.data, found.etag), (b"", ""))

    def test_a_stale_etag_is_aborted(self):
        self.client.save_state("statestore", "k", "1")
        self.client.save_state("statestore", "k", "2", etag="1")
        with self.raises(grpc.StatusCode.ABORTED):
            self.client.save_state("statestore", "k", "3", etag="1")
        with self.raises(grpc.StatusCode.ABORTED):
            self.client.save_state("statestore", "k", "3", options=FIRST_WRITE)
        with self.raises(grpc.StatusCode.ABORTED):
            self.client.delete_state("statestore", "k", etag="1")
        self.client.delete_state("statestore", "k", etag="2")
        self.assertEqual(world.stores["statestore"], {})

    def test_many_are_written_and_read_each_on_its_own(self):
        self.client.save_bulk_state("statestore", [StateItem("a", "1"), StateItem("b", b"2")])
        items = self.client.get_bulk_state("statestore", ["b", "none", "a"]).items
        self.assertEqual([(item.key, item.data, item.etag) for item in items], [("b", b"2", "1"), ("none", b"", ""), ("a", b"1", "1")])
        with self.raises(grpc.StatusCode.ABORTED):
            self.client.save_bulk_state("statestore", [StateItem("a", "x", etag="9"), StateItem("c", "3")])
        self.assertIn("c", world.stores["statestore"])

    def test_a_transaction_is_all_or_nothing(self):
        self.client.save_state("statestore", "old", "1")
        delete = TransactionalStateOperation("old", operation_type=TransactionOperationType.delete, etag="1")
        self.client.execute_state_transaction("statestore", [TransactionalStateOperation("new", "2"), delete])
        self.assertEqual(list(world.stores["statestore"]), ["new"])
        with self.raises(grpc.StatusCode.ABORTED):
            stale = TransactionalStateOperation("new", "3", etag="9")
            self.client.execute_state_transaction("statestore", [TransactionalStateOperation("other", "1"), stale])
        self.assertEqual(list(world.stores["statestore"]), ["new"])

    def test_what_is_wrong_is_refused_before_it_is_sent(self):
        with self.assertRaises(ValueError):
            self.client.save_state("statestore", "k", {"a": 1})
        with self.assertRaises(ValueError):
            self.client.get_state(" ", "k")
        with self.raises(grpc.StatusCode.NOT_FOUND):
            self.client.get_state("elsewhere", "k")
        with self.assertRaisesRegex(NotImplementedError, "try_lock"):
            self.client.try_lock("lockstore", "r", "o", 60)

    def test_a_message_is_published_with_its_metadata(self):
        metadata = {"ttlInSeconds": "5", "partitionKey": "p", "rawPayload": "true", "cloudevent.id": "i"}
        self.client.publish_event("pubsub", "orders", "{}", publish_metadata=metadata, data_content_type="application/json")
        topic, message, options = world.published[0]
        self.assertEqual((topic, message.data, message.content_type), ("orders", b"{}", "application/json"))
        self.assertEqual((options.raw, options.ttl_seconds, options.partition_key), (True, 5, "p"))
        self.assertEqual(options.metadata, [("cloudevent.id", "i")])
        with self.raises(grpc.StatusCode.NOT_FOUND):
            self.client.publish_event("elsewhere", "orders", "{}")

    def test_of_many_messages_those_that_failed_are_told(self):
        world.failing_entries[b"b"] = "full"
        entries = ["a", BulkPublishEntry(b"b", entry_id="second"), b"c"]
        failed = self.client.publish_events("pubsub", "orders", entries).failed_entries
        self.assertEqual([(one.entry_id, one.error) for one in failed], [("second", "full")])
        self.assertEqual(len(world.published), 2)

    def test_secrets(self):
        world.secrets["secretstore"] = {"key": {"key": "value"}, "two": {"a": "1", "b": "2"}}
        self.assertEqual(self.client.get_secret("secretstore", "key").secret, {"key": "value"})
        self.assertEqual(self.client.get_bulk_secret("secretstore").secrets["two"], {"a": "1", "b": "2"})
        with self.raises(grpc.StatusCode.NOT_FOUND):
            self.client.get_secret("secretstore", "none")

    def test_another_app_is_called_and_its_answer_given(self):
        world.answers["inventory/reserve"] = (200, '{"reserved": true}')
        answer = self.client.invoke_method(
            "inventory", "reserve", data=b"{}", http_verb="post", http_querystring=(("a", "b c"),), timeout=2,
            metadata=(("x-id", "7"),),
        )  # fmt: skip
        self.assertEqual((answer.status_code, answer.json()), (200, {"reserved": True}))
        _, request = world.invoked[0]
        self.assertEqual((request.verb, request.query, request.timeout_ms), ("POST", "a=b+c", 2000))
        self.assertEqual(request.headers, [("x-id", "7"), ("content-type", "application/json")])

    def test_an_answer_that_is_no_success_is_raised(self):
        world.answers["inventory/reserve"] = (409, '{"errorCode": "OUT", "message": "too few"}')
        with self.assertRaises(DaprHttpError) as raised:
            self.client.invoke_method("inventory", "reserve")
        self.assertEqual((raised.exception.status_code, raised.exception.error_code), (409, "OUT"))
        with self.assertRaises(DaprHttpError) as raised:
            self.client.invoke_method("nobody", "reserve")
        self.assertEqual(raised.exception.error_code, "ERR_DIRECT_INVOKE")

    def test_the_async_client_does_the_same(self):
        async def main():
            async with AsyncDaprClient() as client:
                await client.save_state("statestore", "k", "v")
                return await client.get_state("statestore", "k")

        self.assertEqual(asyncio.run(main()).data, b"v")


if __name__ == "__main__":
    unittest.main()
