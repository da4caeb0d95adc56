package state

import (
	"unsafe"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/abi"
)

//go:wasmimport berth:state/store@0.1.0 open
func wasmOpen(name string, result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.get
func wasmGet(store uint32, key string, hasConsistency bool, consistency, metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.set
func wasmSet(parameters, result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.delete
func wasmDelete(store uint32, key string, hasETag bool, etag string, hasConcurrency bool, concurrency uint32,
	hasConsistency bool, consistency, metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.bulk-get
func wasmBulkGet(store, keys, keysLen uint32, hasConsistency bool, consistency, metadata, metadataLen uint32,
	result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.bulk-set
func wasmBulkSet(store, requests, requestsLen uint32, result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.bulk-delete
func wasmBulkDelete(store, requests, requestsLen uint32, result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.transact
func wasmTransact(store, operations, operationsLen, metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:state/store@0.1.0 [method]store.list-keys
func wasmListKeys(store uint32, prefix string, limit uint32, hasToken bool, token string, result unsafe.Pointer)

type (
	wireEntry struct {
		_           abi.Layout
		value       abi.List
		etag        abi.Text
		contentType abi.Option[abi.Text]
		metadata    abi.List
	}
	wireSetOptions struct {
		_           abi.Layout
		etag        abi.Option[abi.Text]
		concurrency abi.Option[uint8]
		consistency abi.Option[uint8]
		ttlSeconds  abi.Option[uint32]
		contentType abi.Option[abi.Text]
		metadata    abi.List
	}
	wireDeleteOptions struct {
		_           abi.Layout
		etag        abi.Option[abi.Text]
		concurrency abi.Option[uint8]
		consistency abi.Option[uint8]
		metadata    abi.List
	}
	wireSet struct {
		_       abi.Layout
		key     abi.Text
		value   abi.List
		options wireSetOptions
	}
	wireDelete struct {
		_       abi.Layout
		key     abi.Text
		options wireDeleteOptions
	}
	// Case 0 is a set, 1 a delete, which is shorter.
	wireOperation struct {
		_    abi.Layout
		kind uint8
		set  wireSet
	}
	wireBulkEntry struct {
		_     abi.Layout
		key   abi.Text
		entry abi.Option[wireEntry]
		err   abi.Option[abi.Failure]
	}
	wireBulkFailure struct {
		_   abi.Layout
		key abi.Text
		err abi.Failure
	}
	wireKeyPage struct {
		_    abi.Layout
		keys abi.List
		next abi.Option[abi.Text]
	}
	// More than are passed one by one.
	wireSetParameters struct {
		_     abi.Layout
		store uint32
		set   wireSet
	}
)

// In the order of the cases of the WIT variant.
var kinds = []berth.Kind{
	berth.NotFound, berth.Conflict, berth.Denied, berth.Invalid,
	berth.Unavailable, berth.Timeout, berth.TooLarge, berth.Other,
}

func (s *Store) open() (uint32, error) {
	if s.handle != 0 {
		return s.handle, nil
	}
	call := abi.Begin()
	defer call.End()
	result := new(abi.Result[uint32, abi.Failure])
	wasmOpen(s.name, abi.Place(call, result))
	handle, failure := result.Get()
	if failure != nil {
		return 0, failure.Err(kinds)
	}
	s.handle = *handle
	return s.handle, nil
}

func (o *options) lowerConsistency() abi.Option[uint8] {
	if o.consistency == unsaid {
		return abi.Option[uint8]{}
	}
	return abi.Some(uint8(o.consistency - eventual))
}

func (o *options) lowerConcurrency() abi.Option[uint8] {
	if o.concurrency == byETag {
		return abi.Option[uint8]{}
	}
	return abi.Some(uint8(o.concurrency - firstWrite))
}

func (o *options) lowerETag(call *abi.Call) abi.Option[abi.Text] {
	if o.etag == nil {
		return abi.Option[abi.Text]{}
	}
	return abi.Some(call.Text(*o.etag))
}

func lowerSet(call *abi.Call, o Operation) wireSet {
	return wireSet{key: call.Text(o.key), value: call.Bytes(o.value), options: wireSetOptions{
		etag:        o.options.lowerETag(call),
		concurrency: o.options.lowerConcurrency(),
		consistency: o.options.lowerConsistency(),
		ttlSeconds:  abi.Option[uint32]{IsSome: o.options.ttlSeconds > 0, Value: o.options.ttlSeconds},
		contentType: call.Optional(o.options.contentType),
		metadata:    call.Pairs(o.options.metadata),
	}}
}

func lowerDelete(call *abi.Call, o Operation) wireDelete {
	return wireDelete{key: call.Text(o.key), options: wireDeleteOptions{
		etag:        o.options.lowerETag(call),
		concurrency: o.options.lowerConcurrency(),
		consistency: o.options.lowerConsistency(),
		metadata:    call.Pairs(o.options.metadata),
	}}
}

func lowerOperation(call *abi.Call, o Operation) (lowered wireOperation) {
	if !o.isDelete {
		lowered.set = lowerSet(call, o)
		return lowered
	}
	lowered.kind = 1
	*(*wireDelete)(unsafe.Pointer(&lowered.set)) = lowerDelete(call, o)
	return lowered
}

func liftEntry(entry *wireEntry) *Entry {
	return &Entry{entry.value.Bytes(), entry.etag.String(), abi.Optional(entry.contentType), entry.metadata.Pairs()}
}

func (s *Store) get(key string, o options) (*Entry, error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	call := abi.Begin()
	defer call.End()
	consistency := o.lowerConsistency()
	metadata, metadataLen := call.Pairs(o.metadata).Flat()
	result := new(abi.Result[abi.Option[wireEntry], abi.Failure])
	wasmGet(store, key, consistency.IsSome, uint32(consistency.Value), metadata, metadataLen, abi.Place(call, result))
	found, failure := result.Get()
	if failure != nil {
		return nil, failure.Err(kinds)
	}
	if !found.IsSome {
		return nil, nil
	}
	return liftEntry(&found.Value), nil
}

func (s *Store) set(key string, value []byte, o options) error {
	store, err := s.open()
	if err != nil {
		return err
	}
	call := abi.Begin()
	defer call.End()
	parameters := &wireSetParameters{store: store, set: lowerSet(call, Operation{key: key, value: value, options: o})}
	result := new(abi.Result[abi.Nothing, abi.Failure])
	wasmSet(abi.Place(call, parameters), abi.Place(call, result))
	return abi.Done(result, kinds)
}

func (s *Store) delete(key string, o options) error {
	store, err := s.open()
	if err != nil {
		return err
	}
	call := abi.Begin()
	defer call.End()
	etag := ""
	if o.etag != nil {
		etag = *o.etag
	}
	concurrency, consistency := o.lowerConcurrency(), o.lowerConsistency()
	metadata, metadataLen := call.Pairs(o.metadata).Flat()
	result := new(abi.Result[abi.Nothing, abi.Failure])
	wasmDelete(store, key, o.etag != nil, etag, concurrency.IsSome, uint32(concurrency.Value), consistency.IsSome, uint32(consistency.Value),
		metadata, metadataLen, abi.Place(call, result))
	return abi.Done(result, kinds)
}

func (s *Store) bulkGet(keys []string, o options) ([]BulkEntry, error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	call := abi.Begin()
	defer call.End()
	list, listLen := abi.LowerAll(call, keys, call.Text).Flat()
	consistency := o.lowerConsistency()
	metadata, metadataLen := call.Pairs(o.metadata).Flat()
	result := new(abi.Result[abi.List, abi.Failure])
	wasmBulkGet(store, list, listLen, consistency.IsSome, uint32(consistency.Value), metadata, metadataLen,
		abi.Place(call, result))
	entries, failure := result.Get()
	if failure != nil {
		return nil, failure.Err(kinds)
	}
	return abi.Lift(*entries, func(found *wireBulkEntry) BulkEntry {
		entry := BulkEntry{Key: found.key.String()}
		if found.entry.IsSome {
			entry.Entry = liftEntry(&found.entry.Value)
		}
		if found.err.IsSome {
			entry.Err = found.err.Value.Err(kinds)
		}
		return entry
	}), nil
}

func liftBulk(result *abi.Result[abi.List, abi.Failure]) ([]BulkFailure, error) {
	failures, failure := result.Get()
	if failure != nil {
		return nil, failure.Err(kinds)
	}
	return abi.Lift(*failures, func(failed *wireBulkFailure) BulkFailure {
		return BulkFailure{failed.key.String(), failed.err.Err(kinds)}
	}), nil
}

func (s *Store) bulkSet(operations []Operation) ([]BulkFailure, error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	call := abi.Begin()
	defer call.End()
	lower := func(o Operation) wireSet { return lowerSet(call, o) }
	requests, requestsLen := abi.LowerAll(call, operations, lower).Flat()
	result := new(abi.Result[abi.List, abi.Failure])
	wasmBulkSet(store, requests, requestsLen, abi.Place(call, result))
	return liftBulk(result)
}

func (s *Store) bulkDelete(operations []Operation) ([]BulkFailure, error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	call := abi.Begin()
	defer call.End()
	lower := func(o Operation) wireDelete { return lowerDelete(call, o) }
	requests, requestsLen := abi.LowerAll(call, operations, lower).Flat()
	result := new(abi.Result[abi.List, abi.Failure])
	wasmBulkDelete(store, requests, requestsLen, abi.Place(call, result))
	return liftBulk(result)
}

func (s *Store) transact(operations []Operation, metadata map[string]string) error {
	store, err := s.open()
	if err != nil {
		return err
	}
	call := abi.Begin()
	defer call.End()
	lower := func(o Operation) wireOperation { return lowerOperation(call, o) }
	list, listLen := abi.LowerAll(call, operations, lower).Flat()
	pairs, pairsLen := call.Pairs(metadata).Flat()
	result := new(abi.Result[abi.Nothing, abi.Failure])
	wasmTransact(store, list, listLen, pairs, pairsLen, abi.Place(call, result))
	return abi.Done(result, kinds)
}

func (s *Store) listKeys(prefix string, limit uint32, token string) ([]string, string, error) {
	store, err := s.open()
	if err != nil {
		return nil, "", err
	}
	call := abi.Begin()
	defer call.End()
	result := new(abi.Result[wireKeyPage, abi.Failure])
	wasmListKeys(store, prefix, limit, token != "", token, abi.Place(call, result))
	page, failure := result.Get()
	if failure != nil {
		return nil, "", failure.Err(kinds)
	}
	return abi.Lift(page.keys, (*abi.Text).String), abi.Optional(page.next), nil
}
