"""berth:state."""

from dataclasses import replace

from checks.run import Run, expect, refused
from wit_world.imports import berth_state_store as api

READ = api.GetOptions(consistency=None, metadata=[])
PLAIN = api.SetOptions(None, None, None, None, None, [])
DELETE = api.DeleteOptions(None, None, None, [])


def open_store() -> api.Store:
    return api.open("statestore")


def entry(store: api.Store, key: str) -> api.Entry:
    found = store.get(key, READ)
    expect(found is not None, f"{key} is absent")
    return found


def absent(store: api.Store, key: str) -> None:
    found = store.get(key, READ)
    expect(found is None, found)


def holds(store: api.Store, key: str, value: bytes) -> None:
    found = entry(store, key)
    expect(found.value == value, found)


def stale(store: api.Store, key: str) -> str:
    """Writes a key twice and returns the etag of the first write, which is stale then."""
    store.set(key, b"old", PLAIN)
    etag = entry(store, key).etag
    store.set(key, b"new", PLAIN)
    return etag


def open_known(run: Run) -> None:
    with open_store():
        pass


def open_unknown(run: Run) -> None:
    refused(api.Error_NotFound, api.open, "no-such-store")


def set_plain(run: Run) -> None:
    with open_store() as store:
        store.set(run.key("a"), b"one", PLAIN)


def get(run: Run) -> None:
    with open_store() as store:
        found = entry(store, run.key("a"))
        expect(found.value == b"one" and found.etag != "", found)


def get_missing(run: Run) -> None:
    with open_store() as store:
        absent(store, run.key("missing"))


def etag(run: Run) -> None:
    key = run.key("etag")
    with open_store() as store:
        store.set(key, b"one", PLAIN)
        first = entry(store, key).etag
        store.set(key, b"two", replace(PLAIN, etag=first))
        second = entry(store, key).etag
        expect(first != second, f"the etag is still {second}")


def stale_etag(run: Run) -> None:
    key = run.key("etag")
    with open_store() as store:
        options = replace(PLAIN, etag=stale(store, key))
        refused(api.Error_Conflict, store.set, key, b"three", options)
        holds(store, key, b"new")


def first_write(run: Run) -> None:
    key = run.key("first")
    options = replace(PLAIN, concurrency=api.Concurrency.FIRST_WRITE)
    with open_store() as store:
        store.delete(key, DELETE)
        store.set(key, b"first", options)
        refused(api.Error_Conflict, store.set, key, b"second", options)
        holds(store, key, b"first")


def last_write(run: Run) -> None:
    key = run.key("last")
    with open_store() as store:
        options = replace(PLAIN, etag=stale(store, key), concurrency=api.Concurrency.LAST_WRITE)
        store.set(key, b"last", options)
        holds(store, key, b"last")


def empty_key(run: Run) -> None:
    with open_store() as store:
        refused(api.Error_Invalid, store.set, "", b"x", PLAIN)


def reserved_key(run: Run) -> None:
    with open_store() as store:
        refused(api.Error_Invalid, store.set, run.key("a||b"), b"x", PLAIN)


def ttl(run: Run) -> None:
    key = run.key("ttl")
    with open_store() as store:
        store.set(key, b"x", replace(PLAIN, ttl_seconds=3600))
        found = entry(store, key)
        expect("ttlExpireTime" in dict(found.metadata), found)
        store.set(key, b"x", PLAIN)
        found = entry(store, key)
        expect("ttlExpireTime" not in dict(found.metadata), found)


def content_type(run: Run) -> None:
    key, media_type = run.key("bytes"), "application/octet-stream"
    with open_store() as store:
        store.set(key, b"\x00\xff\n", replace(PLAIN, content_type=media_type))
        found = entry(store, key)
        expect(found.value == b"\x00\xff\n" and found.content_type in (None, media_type), found)


def delete(run: Run) -> None:
    key = run.key("delete")
    with open_store() as store:
        store.set(key, b"x", PLAIN)
        store.delete(key, DELETE)
        absent(store, key)
        store.delete(key, DELETE)


def delete_stale_etag(run: Run) -> None:
    key = run.key("delete-etag")
    with open_store() as store:
        options = replace(DELETE, etag=stale(store, key))
        refused(api.Error_Conflict, store.delete, key, options)
        holds(store, key, b"new")


def bulk_set(run: Run) -> None:
    first, second = run.key("bulk-1"), run.key("bulk-2")
    with open_store() as store:
        failures = store.bulk_set([api.SetRequest(first, b"1", PLAIN), api.SetRequest(second, b"2", PLAIN)])
        expect(failures == [], failures)
        holds(store, first, b"1")
        holds(store, second, b"2")


def bulk_set_partial(run: Run) -> None:
    stale_key, good_key = run.key("bulk-stale"), run.key("bulk-good")
    with open_store() as store:
        options = replace(PLAIN, etag=stale(store, stale_key))
        store.delete(good_key, DELETE)
        requests = [api.SetRequest(stale_key, b"x", options), api.SetRequest(good_key, b"x", PLAIN)]
        failures = store.bulk_set(requests)
        expect([failure.key for failure in failures] == [stale_key], failures)
        expect(isinstance(failures[0].error, api.Error_Conflict), failures)
        holds(store, good_key, b"x")


def bulk_get(run: Run) -> None:
    keys = [run.key("bulk-2"), run.key("missing"), run.key("bulk-1")]
    with open_store() as store:
        found = store.bulk_get(keys, READ)
    expect([one.key for one in found] == keys, found)
    expect([one.entry and one.entry.value for one in found] == [b"2", None, b"1"], found)
    expect(all(one.error is None for one in found), found)


def bulk_delete(run: Run) -> None:
    keys = [run.key("bulk-1"), run.key("bulk-2")]
    with open_store() as store:
        failures = store.bulk_delete([api.DeleteRequest(key, DELETE) for key in keys])
        expect(failures == [], failures)
        for key in keys:
            absent(store, key)


def transact(run: Run) -> None:
    added, removed = run.key("added"), run.key("removed")
    with open_store() as store:
        store.set(removed, b"x", PLAIN)
        operations = [
            api.Operation_Set(api.SetRequest(added, b"added", PLAIN)),
            api.Operation_Delete(api.DeleteRequest(removed, DELETE)),
        ]
        store.transact(operations, [])
        holds(store, added, b"added")
        absent(store, removed)


def transact_conflict(run: Run) -> None:
    first, second = run.key("untouched"), run.key("contested")
    with open_store() as store:
        options = replace(PLAIN, etag=stale(store, second))
        store.delete(first, DELETE)
        operations = [
            api.Operation_Set(api.SetRequest(first, b"x", PLAIN)),
            api.Operation_Set(api.SetRequest(second, b"x", options)),
        ]
        refused(api.Error_Conflict, store.transact, operations, [])
        absent(store, first)
        holds(store, second, b"new")


def list_keys(run: Run) -> None:
    prefix = run.key("list-")
    written = [prefix + name for name in "abcde"]
    with open_store() as store:
        for key in written:
            store.set(key, b"x", PLAIN)
        pages = [store.list_keys(prefix, api.Page(2, None))]
        while pages[-1].next is not None and len(pages) < 3:
            pages.append(store.list_keys(prefix, api.Page(2, pages[-1].next)))
    expect([len(page.keys) for page in pages] == [2, 2, 1], pages)
    expect(sorted(key for page in pages for key in page.keys) == written, pages)
    expect(pages[-1].next is None, pages[-1])


CHECKS = {
    "state.open": open_known,
    "state.open-unknown": open_unknown,
    "state.set": set_plain,
    "state.get": get,
    "state.get-missing": get_missing,
    "state.etag": etag,
    "state.stale-etag": stale_etag,
    "state.first-write": first_write,
    "state.last-write": last_write,
    "state.empty-key": empty_key,
    "state.reserved-key": reserved_key,
    "state.ttl": ttl,
    "state.content-type": content_type,
    "state.delete": delete,
    "state.delete-stale-etag": delete_stale_etag,
    "state.bulk-set": bulk_set,
    "state.bulk-set-partial": bulk_set_partial,
    "state.bulk-get": bulk_get,
    "state.bulk-delete": bulk_delete,
    "state.transact": transact,
    "state.transact-conflict": transact_conflict,
    "state.list-keys": list_keys,
}
