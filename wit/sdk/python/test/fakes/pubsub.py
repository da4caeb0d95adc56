from componentize_py_types import Err
from wit_world.imports import berth_pubsub_publisher_0_1_0 as wit
from wit_world.imports import berth_pubsub_types_0_1_0 as types

from .world import world


def publish(pubsub, topic, message, options):
    if pubsub != "pubsub":
        raise Err(types.Error_NotFound(f"no pub/sub {pubsub}"))
    world.published.append((topic, message, options))


def bulk_publish(pubsub, topic, messages, options):
    failed = []
    for message in messages:
        reason = world.failing_entries.get(message.message.data)
        if reason:
            failed.append(wit.BulkFailure(message.entry_id, types.Error_Unavailable(reason)))
        else:
            world.published.append((topic, message, options))
    return failed


wit.publish, wit.bulk_publish = publish, bulk_publish
