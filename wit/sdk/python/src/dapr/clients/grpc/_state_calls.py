"""State."""

from __future__ import annotations

from wit_world.imports import berth_state_store_0_1_0 as wit

from ..exceptions import DaprGrpcError, calling, error_of, reason_of
from ._data import required, seconds, to_bytes, to_list
from ._request import TransactionOperationType
from ._response import BulkStateItem, BulkStatesResponse, DaprResponse, StateResponse
from ._state import Concurrency, Consistency, StateOptions

_CONCURRENCY = {Concurrency.first_write: wit.Concurrency.FIRST_WRITE, Concurrency.last_write: wit.Concurrency.LAST_WRITE}
_CONSISTENCY = {Consistency.eventual: wit.Consistency.EVENTUAL, Consistency.strong: wit.Consistency.STRONG}
_STORE = "State store name"
# Has a field of its own in the WIT.
_TTL = "ttlInSeconds"


class StateCalls:
    """The calls of `DaprClient` about state."""

    def get_state(self, store_name, key, state_metadata=None, metadata=None) -> StateResponse:
        """The value of a key; without bytes and etag if there is none."""
        required(store_name, _STORE)
        with calling("DaprClient.get_state"), wit.open(store_name) as store:
            entry = store.get(key, wit.GetOptions(None, to_list(state_metadata)))
        return StateResponse(entry.value, entry.etag) if entry else StateResponse(b"")

    def get_bulk_state(self, store_name, keys, parallelism=1, states_metadata=None, metadata=None) -> BulkStatesResponse:
        """Values of many keys, in the order of the keys."""
        required(store_name, _STORE)
        with calling("DaprClient.get_bulk_state"), wit.open(store_name) as store:
            found = store.bulk_get(list(keys), wit.GetOptions(None, to_list(states_metadata)))
        return BulkStatesResponse([_bulk_item(item) for item in found])

    def save_state(
        self, store_name, key, value, etag=None, options=None, state_metadata=None, metadata=None
    ) -> DaprResponse:
        """Writes a value. A stale etag raises, with the code ABORTED."""
        required(store_name, _STORE)
        data, chosen = to_bytes(value), _set_options(etag, options, state_metadata)
        with calling("DaprClient.save_state"), wit.open(store_name) as store:
            store.set(key, data, chosen)
        return DaprResponse()

    def save_bulk_state(self, store_name, states, metadata=None) -> DaprResponse:
        """Writes many values, each on its own. Raises if any could not be written, and names them all."""
        if not states:
            raise ValueError("States to be saved cannot be empty")
        required(store_name, _STORE)
        requests = [
            wit.SetRequest(item.key, to_bytes(item.value), _set_options(item.etag, item.options, item.metadata))
            for item in states
        ]
        with calling("DaprClient.save_bulk_state"), wit.open(store_name) as store:
            failed = store.bulk_set(requests)
        if failed:
            texts = "; ".join(f"{one.key}: {one.error.value}" for one in failed)
            raise DaprGrpcError(reason_of(failed[0].error), texts)
        return DaprResponse()

    def delete_state(self, store_name, key, etag=None, options=None, state_metadata=None, metadata=None) -> DaprResponse:
        """Deletes a key. A stale etag raises, with the code ABORTED."""
        required(store_name, _STORE)
        chosen = _delete_options(etag, options, state_metadata)
        with calling("DaprClient.delete_state"), wit.open(store_name) as store:
            store.delete(key, chosen)
        return DaprResponse()

    def execute_state_transaction(self, store_name, operations, transactional_metadata=None, metadata=None) -> DaprResponse:
        """Applies all operations, or none."""
        required(store_name, _STORE)
        common = {name: value for name, value in (transactional_metadata or {}).items() if name == _TTL}
        steps = [_step(operation, common) for operation in operations]
        with calling("DaprClient.execute_state_transaction"), wit.open(store_name) as store:
            store.transact(steps, to_list(transactional_metadata))
        return DaprResponse()


def _bulk_item(item) -> BulkStateItem:
    if item.error:
        return BulkStateItem(item.key, b"", error=error_of(item.error).details())
    return BulkStateItem(item.key, item.entry.value, item.entry.etag) if item.entry else BulkStateItem(item.key, b"")


def _step(operation, common):
    if operation.operation_type is TransactionOperationType.delete:
        options = _delete_options(operation.etag, None, operation.metadata)
        return wit.Operation_Delete(wit.DeleteRequest(operation.key, options))
    options = _set_options(operation.etag, None, common | operation.metadata)
    return wit.Operation_Set(wit.SetRequest(operation.key, to_bytes(operation.data), options))


def _set_options(etag, options, metadata):
    options = options or StateOptions()
    ttl = seconds((metadata or {}).get(_TTL))
    return wit.SetOptions(
        etag=etag,
        concurrency=_CONCURRENCY.get(options.concurrency),
        consistency=_CONSISTENCY.get(options.consistency),
        ttl_seconds=ttl,
        content_type=(metadata or {}).get("contentType"),
        metadata=to_list(metadata, ["contentType"] + ([] if ttl is None else [_TTL])),
    )


def _delete_options(etag, options, metadata):
    options = options or StateOptions()
    return wit.DeleteOptions(
        etag=etag,
        concurrency=_CONCURRENCY.get(options.concurrency),
        consistency=_CONSISTENCY.get(options.consistency),
        metadata=to_list(metadata),
    )
