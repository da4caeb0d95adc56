"""Publishing."""

from __future__ import annotations

from wit_world.imports import berth_pubsub_publisher_0_1_0 as wit

from ..exceptions import calling, error_of
from ._data import is_true, seconds, to_bytes, to_list
from ._request import BulkPublishEntry
from ._response import BulkPublishResponse, BulkPublishResponseFailedEntry, DaprResponse

_RAW, _KEY, _TTL = "rawPayload", "partitionKey", "ttlInSeconds"


class PubsubCalls:
    """The calls of `DaprClient` about topics."""

    def publish_event(
        self, pubsub_name, topic_name, data, publish_metadata=None, metadata=None, data_content_type=None
    ) -> DaprResponse:
        """Publishes one message."""
        message = wit.Message(to_bytes(data), data_content_type or None)
        with calling("DaprClient.publish_event"):
            wit.publish(pubsub_name, topic_name, message, _options(publish_metadata))
        return DaprResponse()

    def publish_events(
        self, pubsub_name, topic_name, data, publish_metadata=None, data_content_type=None
    ) -> BulkPublishResponse:
        """Publishes many messages, each on its own, and gives those that failed."""
        with calling("DaprClient.publish_events"):
            messages = [_message(entry, data_content_type) for entry in data]
            failed = wit.bulk_publish(pubsub_name, topic_name, messages, _options(publish_metadata))
        return BulkPublishResponse(
            BulkPublishResponseFailedEntry(one.entry_id, error_of(one.error).details()) for one in failed
        )


def _message(entry, content_type):
    if not isinstance(entry, BulkPublishEntry):
        entry = BulkPublishEntry(entry)
    message = wit.Message(to_bytes(entry.event), entry.content_type or content_type or None)
    return wit.BulkMessage(entry.entry_id, message, to_list(entry.metadata))


def _options(metadata):
    metadata = metadata or {}
    ttl = seconds(metadata.get(_TTL))
    return wit.PublishOptions(
        raw=is_true(metadata.get(_RAW)),
        ttl_seconds=ttl,
        partition_key=metadata.get(_KEY),
        metadata=to_list(metadata, [_RAW, _KEY] + ([] if ttl is None else [_TTL])),
    )
