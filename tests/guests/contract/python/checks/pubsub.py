"""berth:pubsub."""

import json
from dataclasses import replace

from checks.run import Run, expect, refused
from wit_world.imports import publisher as api
from wit_world.imports.berth_pubsub_types import Error_Invalid, Error_NotFound

PLAIN = api.PublishOptions(raw=False, ttl_seconds=None, partition_key=None, metadata=[])
HELLO = api.Message(b"hello", "text/plain")


def publish(run: Run) -> None:
    options = replace(PLAIN, metadata=[("cloudevent.id", run.key("plain"))])
    api.publish("pubsub", "contract", HELLO, options)


def publish_special(run: Run) -> None:
    metadata = [("cloudevent.id", run.key("special")), ("cloudevent.type", "special")]
    message = api.Message(b'{"n":1}', "application/json")
    api.publish("pubsub", "contract", message, replace(PLAIN, metadata=metadata))


def publish_cloudevent(run: Run) -> None:
    event = {
        "specversion": "1.0",
        "id": run.key("whole"),
        "source": "elsewhere",
        "type": "special",
        "datacontenttype": "text/plain",
        "data": "whole",
    }
    message = api.Message(json.dumps(event).encode(), "application/cloudevents+json")
    api.publish("pubsub", "contract", message, PLAIN)


def publish_raw(run: Run) -> None:
    options = api.PublishOptions(raw=True, ttl_seconds=60, partition_key=run.id, metadata=[])
    api.publish("pubsub", "contract-raw", api.Message(b"\x00\xff\n", None), options)


def publish_unknown(run: Run) -> None:
    refused(Error_NotFound, api.publish, "no-such-pubsub", "contract", HELLO, PLAIN)


def publish_empty_topic(run: Run) -> None:
    refused(Error_Invalid, api.publish, "pubsub", "", HELLO, PLAIN)


def publish_zero_ttl(run: Run) -> None:
    refused(Error_Invalid, api.publish, "pubsub", "contract", HELLO, replace(PLAIN, ttl_seconds=0))


def bulk_message(run: Run, entry_id: str) -> api.BulkMessage:
    return api.BulkMessage(entry_id, HELLO, [("cloudevent.id", run.key(f"bulk-{entry_id}"))])


def bulk_publish(run: Run) -> None:
    messages = [bulk_message(run, "1"), bulk_message(run, "2")]
    failures = api.bulk_publish("pubsub", "contract", messages, PLAIN)
    expect(failures == [], failures)


def bulk_publish_duplicate(run: Run) -> None:
    messages = [bulk_message(run, "1"), bulk_message(run, "1")]
    refused(Error_Invalid, api.bulk_publish, "pubsub", "contract", messages, PLAIN)


CHECKS = {
    "pubsub.publish": publish,
    "pubsub.publish-special": publish_special,
    "pubsub.publish-cloudevent": publish_cloudevent,
    "pubsub.publish-raw": publish_raw,
    "pubsub.publish-unknown": publish_unknown,
    "pubsub.publish-empty-topic": publish_empty_topic,
    "pubsub.publish-zero-ttl": publish_zero_ttl,
    "pubsub.bulk-publish": bulk_publish,
    "pubsub.bulk-publish-duplicate": bulk_publish_duplicate,
}
