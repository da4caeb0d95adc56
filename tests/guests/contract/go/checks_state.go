package main

import (
	"bytes"
	"slices"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/state"
)

var stateChecks = []check{
	{"state.open", func(run) { given(store.Get("any")) }},
	{"state.open-unknown", func(run) {
		_, err := state.Open("no-such-store").Get("any")
		refused(err, berth.NotFound)
	}},
	{"state.set", func(r run) { set(r.key("a"), "one") }},
	{"state.get", func(r run) {
		found := entry(r.key("a"))
		expect(string(found.Value) == "one" && found.ETag != "", found)
	}},
	{"state.get-missing", func(r run) { absent(r.key("missing")) }},
	{"state.etag", checkETag},
	{"state.stale-etag", func(r run) {
		key := r.key("etag")
		refused(store.Set(key, []byte("three"), state.IfETag(stale(key))), berth.Conflict)
		holds(key, "new")
	}},
	{"state.first-write", func(r run) {
		key := r.key("first")
		must(store.Delete(key))
		set(key, "first", state.IfAbsent())
		refused(store.Set(key, []byte("second"), state.IfAbsent()), berth.Conflict)
		holds(key, "first")
	}},
	{"state.last-write", func(r run) {
		key := r.key("last")
		set(key, "last", state.IfETag(stale(key)), state.LastWrite())
		holds(key, "last")
	}},
	{"state.empty-key", func(run) { refused(store.Set("", []byte("x")), berth.Invalid) }},
	{"state.reserved-key", func(r run) { refused(store.Set(r.key("a||b"), []byte("x")), berth.Invalid) }},
	{"state.ttl", checkTTL},
	{"state.content-type", checkContentType},
	{"state.delete", func(r run) {
		key := r.key("delete")
		set(key, "x")
		must(store.Delete(key))
		absent(key)
		must(store.Delete(key))
	}},
	{"state.delete-stale-etag", func(r run) {
		key := r.key("delete-etag")
		refused(store.Delete(key, state.IfETag(stale(key))), berth.Conflict)
		holds(key, "new")
	}},
	{"state.bulk-set", func(r run) {
		first, second := r.key("bulk-1"), r.key("bulk-2")
		failures := given(store.BulkSet(state.SetOp(first, []byte("1")), state.SetOp(second, []byte("2"))))
		expect(len(failures) == 0, failures)
		holds(first, "1")
		holds(second, "2")
	}},
	{"state.bulk-set-partial", checkPartialBulk},
	{"state.bulk-get", checkBulkGet},
	{"state.bulk-delete", func(r run) {
		first, second := r.key("bulk-1"), r.key("bulk-2")
		failures := given(store.BulkDelete(state.DeleteOp(first), state.DeleteOp(second)))
		expect(len(failures) == 0, failures)
		absent(first)
		absent(second)
	}},
	{"state.transact", func(r run) {
		added, removed := r.key("added"), r.key("removed")
		set(removed, "x")
		must(store.Transact(state.SetOp(added, []byte("added")), state.DeleteOp(removed)))
		holds(added, "added")
		absent(removed)
	}},
	{"state.transact-conflict", func(r run) {
		first, second := r.key("untouched"), r.key("contested")
		etag := stale(second)
		must(store.Delete(first))
		write := []byte("x")
		err := store.Transact(state.SetOp(first, write), state.SetOp(second, write, state.IfETag(etag)))
		refused(err, berth.Conflict)
		absent(first)
		holds(second, "new")
	}},
	{"state.list-keys", checkListKeys},
}

func set(key, value string, options ...state.Option) { must(store.Set(key, []byte(value), options...)) }

func entry(key string) *state.Entry {
	found := given(store.Get(key))
	expect(found != nil, key+" is absent")
	return found
}

func absent(key string) {
	found := given(store.Get(key))
	expect(found == nil, found)
}

func holds(key, value string) {
	found := entry(key)
	expect(string(found.Value) == value, found)
}

// stale writes a key twice and gives the etag of the first write.
func stale(key string) string {
	set(key, "old")
	etag := entry(key).ETag
	set(key, "new")
	return etag
}

func checkETag(r run) {
	key := r.key("etag")
	set(key, "one")
	first := entry(key).ETag
	set(key, "two", state.IfETag(first))
	expect(entry(key).ETag != first, "the etag is still "+first)
}

func checkTTL(r run) {
	key := r.key("ttl")
	for _, expires := range []bool{true, false} {
		if expires {
			set(key, "x", state.TTL(time.Hour))
		} else {
			set(key, "x")
		}
		found := entry(key)
		_, has := found.Metadata["ttlExpireTime"]
		expect(has == expires, found)
	}
}

func checkContentType(r run) {
	key, value := r.key("bytes"), []byte{0, 255, 10}
	must(store.Set(key, value, state.ContentType("application/octet-stream")))
	found := entry(key)
	known := found.ContentType == "" || found.ContentType == "application/octet-stream"
	expect(bytes.Equal(found.Value, value) && known, found)
}

func checkPartialBulk(r run) {
	staleKey, goodKey := r.key("bulk-stale"), r.key("bulk-good")
	etag := stale(staleKey)
	must(store.Delete(goodKey))
	write := []byte("x")
	failures := given(store.BulkSet(state.SetOp(staleKey, write, state.IfETag(etag)), state.SetOp(goodKey, write)))
	expect(len(failures) == 1 && failures[0].Key == staleKey, failures)
	refused(failures[0].Err, berth.Conflict)
	holds(goodKey, "x")
}

func checkBulkGet(r run) {
	keys := []string{r.key("bulk-2"), r.key("missing"), r.key("bulk-1")}
	found := given(store.BulkGet(keys))
	expect(len(found) == len(keys), found)
	for i, one := range found {
		expect(one.Key == keys[i] && one.Err == nil, found)
	}
	expect(string(found[0].Entry.Value) == "2" && found[1].Entry == nil && string(found[2].Entry.Value) == "1", found)
}

func checkListKeys(r run) {
	prefix := r.key("list-")
	var written, listed []string
	for _, name := range "abcde" {
		key := prefix + string(name)
		set(key, "x")
		written = append(written, key)
	}
	token := ""
	for _, size := range []int{2, 2, 1} {
		keys, next, err := store.ListKeys(prefix, 2, token)
		must(err)
		expect(len(keys) == size, keys)
		listed, token = append(listed, keys...), next
	}
	slices.Sort(listed)
	expect(slices.Equal(listed, written) && token == "", listed)
}
