"""A state store: etags count up."""

from componentize_py_types import Err
from wit_world.imports import berth_state_store_0_1_0 as wit

from .world import world


class Store:
    def __init__(self, name):
        if name not in world.stores:
            raise Err(wit.Error_NotFound(f"no store {name}"))
        self.entries = world.stores[name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def get(self, key, options):
        return self.entries.get(key)

    def set(self, key, value, options):
        self._check(key, options)
        known = self.entries.get(key)
        etag = str(int(known.etag) + 1 if known else 1)
        ttl = [("ttl", str(options.ttl_seconds))] if options.ttl_seconds else []
        self.entries[key] = wit.Entry(value, etag, options.content_type, ttl + options.metadata)

    def delete(self, key, options):
        self._check(key, options)
        self.entries.pop(key, None)

    def bulk_get(self, keys, options):
        return [wit.BulkEntry(key, self.entries.get(key), None) for key in keys]

    def bulk_set(self, requests):
        failed = []
        for request in requests:
            try:
                self.set(request.key, request.value, request.options)
            except Err as error:
                failed.append(wit.BulkFailure(request.key, error.value))
        return failed

    def transact(self, operations, metadata):
        for operation in operations:
            self._check(operation.value.key, operation.value.options)
        for operation in operations:
            request = operation.value
            if isinstance(operation, wit.Operation_Set):
                self.set(request.key, request.value, request.options)
            else:
                self.delete(request.key, request.options)

    def _check(self, key, options):
        if options.concurrency is wit.Concurrency.LAST_WRITE:
            return
        known = self.entries.get(key)
        first = options.concurrency is wit.Concurrency.FIRST_WRITE
        if options.etag is None and first and known:
            raise Err(wit.Error_Conflict(f"{key} is there"))
        if options.etag is not None and (not known or known.etag != options.etag):
            raise Err(wit.Error_Conflict(f"{key} has another etag"))


wit.open = Store
