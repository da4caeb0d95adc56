//go:build !wasip1

package state

import (
	"maps"
	"slices"
	"strings"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/world"
)

// A store of berthtest's world: keys, etags and transactions; nothing expires.

func (s *Store) get(key string, _ options) (*Entry, error) {
	w := world.Current
	if w.Broken != nil {
		return nil, w.Broken
	}
	value, found := w.Store(s.name)[key]
	if !found {
		return nil, nil
	}
	return &Entry{slices.Clone(value.Data), value.ETag, value.ContentType, map[string]string{}}, nil
}

func (o *Operation) check(values map[string]world.Value) error {
	if o.key == "" || strings.Contains(o.key, "||") {
		return world.Fail(berth.Invalid, "a key is not empty, and has no ||")
	}
	value, found := values[o.key]
	isStale := o.options.concurrency != lastWrite && o.options.etag != nil && value.ETag != *o.options.etag
	isTaken := o.options.etag == nil && o.options.concurrency == firstWrite && found
	if isStale || isTaken {
		return world.Fail(berth.Conflict, "somebody else was faster with "+o.key)
	}
	return nil
}

func (o *Operation) apply(values map[string]world.Value) {
	if o.isDelete {
		delete(values, o.key)
		return
	}
	values[o.key] = world.Value{
		Data: slices.Clone(o.value), ETag: world.Current.NextETag(), ContentType: o.options.contentType,
	}
}

func (s *Store) change(operations []Operation) error {
	w := world.Current
	if w.Broken != nil {
		return w.Broken
	}
	values := maps.Clone(w.Store(s.name))
	for _, operation := range operations {
		if err := operation.check(values); err != nil {
			return err
		}
		operation.apply(values)
	}
	w.Stores[s.name] = values
	return nil
}

func (s *Store) set(key string, value []byte, o options) error {
	return s.change([]Operation{{key: key, value: value, options: o}})
}

func (s *Store) delete(key string, o options) error {
	return s.change([]Operation{{isDelete: true, key: key, options: o}})
}

func (s *Store) transact(operations []Operation, _ map[string]string) error {
	return s.change(operations)
}

func (s *Store) bulkGet(keys []string, o options) ([]BulkEntry, error) {
	var entries []BulkEntry
	for _, key := range keys {
		entry, err := s.get(key, o)
		entries = append(entries, BulkEntry{key, entry, err})
	}
	return entries, nil
}

func (s *Store) each(operations []Operation) (failures []BulkFailure, err error) {
	for _, operation := range operations {
		if err := s.change([]Operation{operation}); err != nil {
			failures = append(failures, BulkFailure{operation.key, err})
		}
	}
	return failures, nil
}

func (s *Store) bulkSet(operations []Operation) ([]BulkFailure, error) { return s.each(operations) }

func (s *Store) bulkDelete(operations []Operation) ([]BulkFailure, error) {
	for i := range operations {
		operations[i].isDelete = true
	}
	return s.each(operations)
}

func (s *Store) listKeys(prefix string, limit uint32, token string) (keys []string, next string, err error) {
	w := world.Current
	if w.Broken != nil {
		return nil, "", w.Broken
	}
	if limit == 0 {
		limit = 100
	}
	for _, key := range slices.Sorted(maps.Keys(w.Store(s.name))) {
		if !strings.HasPrefix(key, prefix) || key <= token {
			continue
		}
		if len(keys) == int(limit) {
			return keys, keys[len(keys)-1], nil
		}
		keys = append(keys, key)
	}
	return keys, "", nil
}
