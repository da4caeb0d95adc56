// Package state reads and writes the state stores of an app.
//
//	var store = state.Open("statestore")
//
//	func count() error {
//		entry, err := store.Get("visits")
//		...
//	}
package state

import (
	"encoding/json"
	"iter"
	"time"
)

// Store is a state store, by the name of its document.
type Store struct {
	name string
	// The host's name for it, from the first call on; 0 before.
	handle uint32
}

// Open gives the store of a name. The host is asked for it at the first call, so a variable of a package may hold it.
func Open(name string) *Store { return &Store{name: name} }

// Entry is a stored value.
type Entry struct {
	Value []byte
	// Changes with every write.
	ETag string
	// As it was given when the value was written, where the store keeps it.
	ContentType string
	// A key with a time to live has ttlExpireTime.
	Metadata map[string]string
}

// JSON reads the value.
func (e *Entry) JSON(into any) error { return json.Unmarshal(e.Value, into) }

// Option changes how a call reads or writes.
type Option func(*options)

type options struct {
	etag        *string
	concurrency concurrency
	consistency consistency
	ttlSeconds  uint32
	contentType string
	metadata    map[string]string
}

type concurrency uint8

const (
	byETag concurrency = iota
	firstWrite
	lastWrite
)

type consistency uint8

const (
	unsaid consistency = iota
	eventual
	strong
)

func optionsOf(given []Option) (o options) {
	for _, option := range given {
		option(&o)
	}
	return o
}

// IfETag writes or deletes only what has this etag.
func IfETag(etag string) Option { return func(o *options) { o.etag = &etag } }

// IfAbsent writes only if the key is absent.
func IfAbsent() Option { return func(o *options) { o.concurrency = firstWrite } }

// LastWrite writes or deletes whatever is there, also if there is an etag.
func LastWrite() Option { return func(o *options) { o.concurrency = lastWrite } }

// TTL lets the key expire, in whole seconds, rounded up. 0: never.
func TTL(after time.Duration) Option {
	return func(o *options) { o.ttlSeconds = uint32((after + time.Second - 1) / time.Second) }
}

// ContentType says what the value is, to stores that keep it.
func ContentType(mediaType string) Option { return func(o *options) { o.contentType = mediaType } }

// Strong asks for the strongest guarantee that the store has.
func Strong() Option { return func(o *options) { o.consistency = strong } }

// Eventual asks for the weakest, which may be faster.
func Eventual() Option { return func(o *options) { o.consistency = eventual } }

// Metadata is passed on to the backend.
func Metadata(metadata map[string]string) Option { return func(o *options) { o.metadata = metadata } }

// Get gives the entry of a key; nil if it is absent or expired.
func (s *Store) Get(key string, given ...Option) (*Entry, error) { return s.get(key, optionsOf(given)) }

// GetJSON reads the value of a key, and says whether there was one.
func (s *Store) GetJSON(key string, into any, given ...Option) (bool, error) {
	entry, err := s.Get(key, given...)
	if err != nil || entry == nil {
		return false, err
	}
	return true, entry.JSON(into)
}

// Set writes a key, whatever it held, unless an option says otherwise: then berth.Conflict is the error.
func (s *Store) Set(key string, value []byte, given ...Option) error {
	return s.set(key, value, optionsOf(given))
}

// SetJSON writes a value as JSON.
func (s *Store) SetJSON(key string, value any, given ...Option) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.Set(key, text, append([]Option{ContentType("application/json")}, given...)...)
}

// Delete deletes a key. One that is absent is no error, unless there is an etag.
func (s *Store) Delete(key string, given ...Option) error { return s.delete(key, optionsOf(given)) }

// BulkEntry is one key of a bulk read.
type BulkEntry struct {
	Key string
	// Nil: the key is absent, or there is an error.
	Entry *Entry
	Err   error
}

// BulkGet reads many keys, in the order asked.
func (s *Store) BulkGet(keys []string, given ...Option) ([]BulkEntry, error) {
	return s.bulkGet(keys, optionsOf(given))
}

// Operation is one write or deletion of many.
type Operation struct {
	isDelete bool
	key      string
	value    []byte
	options  options
}

// SetOp writes a key, as Set does.
func SetOp(key string, value []byte, given ...Option) Operation {
	return Operation{key: key, value: value, options: optionsOf(given)}
}

// DeleteOp deletes a key, as Delete does.
func DeleteOp(key string, given ...Option) Operation {
	return Operation{isDelete: true, key: key, options: optionsOf(given)}
}

// BulkFailure is a key that could not be changed.
type BulkFailure struct {
	Key string
	Err error
}

// BulkSet writes many keys, each on its own, and gives those that failed.
func (s *Store) BulkSet(operations ...Operation) ([]BulkFailure, error) { return s.bulkSet(operations) }

// BulkDelete deletes many keys, each on its own, and gives those that failed.
func (s *Store) BulkDelete(operations ...Operation) ([]BulkFailure, error) {
	return s.bulkDelete(operations)
}

// Transact does all of it, in order, or nothing.
func (s *Store) Transact(operations ...Operation) error { return s.transact(operations, nil) }

// TransactWith is Transact, with metadata for the backend.
func (s *Store) TransactWith(metadata map[string]string, operations ...Operation) error {
	return s.transact(operations, metadata)
}

// ListKeys gives a page of the keys that begin with a prefix, and the token of the next page; "" at the end. A limit of 0 is
// the host's, 100.
func (s *Store) ListKeys(prefix string, limit uint32, token string) (keys []string, next string, err error) {
	return s.listKeys(prefix, limit, token)
}

// Keys gives all keys that begin with a prefix, page by page. After an error there is no further key.
func (s *Store) Keys(prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for token := ""; ; {
			keys, next, err := s.ListKeys(prefix, 0, token)
			if err != nil {
				yield("", err)
				return
			}
			for _, key := range keys {
				if !yield(key, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}
