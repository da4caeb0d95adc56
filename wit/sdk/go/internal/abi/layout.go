//go:build wasip1

package abi

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"structs"
	"unsafe"

	"berth.dev/sdk/berth"
)

// Layout marks a struct that the host reads or writes: its fields stay where they are.
type Layout = structs.HostLayout

// Text is a string.
type Text struct {
	_             Layout
	start, length uint32
}

// List is a list of anything.
type List struct {
	_             Layout
	start, length uint32
}

// Option is a value, or nothing.
type Option[T any] struct {
	_      Layout
	IsSome bool
	Value  T
}

// Some is a value that is there.
func Some[T any](value T) Option[T] { return Option[T]{IsSome: true, Value: value} }

// Or gives the value, or another if there is none.
func (o Option[T]) Or(otherwise T) T {
	if o.IsSome {
		return o.Value
	}
	return otherwise
}

// Pair is a tuple of two texts.
type Pair struct {
	_             Layout
	First, Second Text
}

// Result is a value, or an error of the type E, which is never aligned more strictly than to 8 bytes.
type Result[T, E any] struct {
	_     Layout
	isErr bool
	// The payload begins where the more strictly aligned of both may.
	_     [0]T
	_     [0]E
	place [0]byte
	_     T
	_     E
}

// Nothing is the value of a result that has none.
type Nothing struct{}

// Get gives the value, or nil and the error.
func (r *Result[T, E]) Get() (*T, *E) {
	place := unsafe.Pointer(&r.place)
	if r.isErr {
		return nil, (*E)(place)
	}
	return (*T)(place), nil
}

// Failure is why a block refused: every case has a text.
type Failure struct {
	_    Layout
	Case uint8
	Text Text
}

// Common are the kinds of failure of most blocks, in the order of their cases.
var Common = []berth.Kind{
	berth.NotFound, berth.Denied, berth.Invalid, berth.Unavailable, berth.Timeout, berth.TooLarge, berth.Other,
}

// Err lifts a failure.
func (f *Failure) Err(kinds []berth.Kind) error {
	return &berth.Error{Kind: kinds[f.Case], Message: f.Text.String()}
}

// Done lifts the result of a call that gives nothing.
func Done(result *Result[Nothing, Failure], kinds []berth.Kind) error {
	if _, failure := result.Get(); failure != nil {
		return failure.Err(kinds)
	}
	return nil
}

// Call is one call of an import: it keeps what the host reads and what it has given, until End.
type Call struct{ kept []unsafe.Pointer }

// Begin begins one.
func Begin() *Call {
	room.readers++
	return &Call{}
}

// End ends it: what was lifted is copied by now.
func (c *Call) End() {
	runtime.KeepAlive(c.kept)
	stopReading()
}

func (c *Call) keep(place unsafe.Pointer) uint32 {
	c.kept = append(c.kept, place)
	return uint32(uintptr(place))
}

// Text lowers a string.
func (c *Call) Text(text string) Text {
	return Text{start: c.keep(unsafe.Pointer(unsafe.StringData(text))), length: uint32(len(text))}
}

// Bytes lowers bytes.
func (c *Call) Bytes(bytes []byte) List { return Lower(c, bytes) }

// Optional lowers a text that is absent if it is empty.
func (c *Call) Optional(text string) Option[Text] {
	return Option[Text]{IsSome: text != "", Value: c.Text(text)}
}

// Pairs lowers a map, in the order of its keys.
func (c *Call) Pairs(pairs map[string]string) List {
	list := make([]Pair, 0, len(pairs))
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		list = append(list, Pair{First: c.Text(key), Second: c.Text(pairs[key])})
	}
	return Lower(c, list)
}

// Lower lowers items that are laid out already.
func Lower[T any](c *Call, items []T) List {
	return List{start: c.keep(unsafe.Pointer(unsafe.SliceData(items))), length: uint32(len(items))}
}

// LowerAll lowers items.
func LowerAll[T, L any](c *Call, items []T, lower func(T) L) List {
	lowered := make([]L, len(items))
	for i, item := range items {
		lowered[i] = lower(item)
	}
	return Lower(c, lowered)
}

// Place keeps a value where the host reads or writes it.
func Place[T any](c *Call, value *T) unsafe.Pointer {
	c.kept = append(c.kept, unsafe.Pointer(value))
	return unsafe.Pointer(value)
}

// Flat gives a text as the two numbers that are its parameters.
func (t Text) Flat() (start, length uint32) { return t.start, t.length }

// Flat gives a list as the two numbers that are its parameters.
func (l List) Flat() (start, length uint32) { return l.start, l.length }

// String lifts a text.
func (t *Text) String() string {
	return strings.Clone(unsafe.String((*byte)(unsafe.Pointer(uintptr(t.start))), t.length))
}

// Optional lifts a text that may be absent, which makes it empty.
func Optional(option Option[Text]) string { text := option.Or(Text{}); return text.String() }

// View shows the items of a list where the host has put them: good until the call ends.
func View[L any](list List) []L {
	return unsafe.Slice((*L)(unsafe.Pointer(uintptr(list.start))), list.length)
}

// Bytes lifts bytes.
func (l List) Bytes() []byte { return append([]byte{}, View[byte](l)...) }

// Pairs lifts a map. Of a key that comes twice the last value counts.
func (l List) Pairs() map[string]string {
	pairs := make(map[string]string, l.length)
	for _, pair := range View[Pair](l) {
		pairs[pair.First.String()] = pair.Second.String()
	}
	return pairs
}

// Lift lifts a list.
func Lift[L, T any](list List, lift func(*L) T) []T {
	view := View[L](list)
	lifted := make([]T, len(view))
	for i := range view {
		lifted[i] = lift(&view[i])
	}
	return lifted
}

// TextAt is a text that an export was given as two parameters.
func TextAt(start, length uint32) Text { return Text{start: start, length: length} }

// ListAt is a list that an export was given as two parameters.
func ListAt(start, length uint32) List { return List{start: start, length: length} }

// Forget lets go of what was kept before: of a call that holds what an export has returned.
func (c *Call) Forget() { clear(c.kept); c.kept = c.kept[:0] }
