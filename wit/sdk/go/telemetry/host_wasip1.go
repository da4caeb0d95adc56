package telemetry

import (
	"maps"
	"math"
	"slices"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport berth:telemetry/tracing@0.1.0 [static]span.start
func wasmStart(name string) uint32

//go:wasmimport berth:telemetry/tracing@0.1.0 [resource-drop]span
func wasmEnd(span uint32)

//go:wasmimport berth:telemetry/tracing@0.1.0 [method]span.set-attribute
func wasmSpanSet(span uint32, name string, kind uint32, bits uint64, length uint32)

//go:wasmimport berth:telemetry/tracing@0.1.0 [method]span.add-event
func wasmSpanEvent(span uint32, name string, attributes, attributesLen uint32)

//go:wasmimport berth:telemetry/tracing@0.1.0 [method]span.fail
func wasmFail(span uint32, message string)

//go:wasmimport berth:telemetry/tracing@0.1.0 set-attribute
func wasmSet(name string, kind uint32, bits uint64, length uint32)

//go:wasmimport berth:telemetry/tracing@0.1.0 add-event
func wasmEvent(name string, attributes, attributesLen uint32)

//go:wasmimport berth:telemetry/tracing@0.1.0 traceparent
func wasmTraceparent(result unsafe.Pointer)

//go:wasmimport berth:telemetry/tracing@0.1.0 is-recorded
func wasmIsRecorded() bool

type wireAttribute struct {
	_    abi.Layout
	name abi.Text
	kind uint8
	// Of a text its address in the lower half and its length in the upper, as two words lie in memory.
	bits uint64
}

// flat gives a value as its parameters are: of a text the address and the length, of anything else its bits.
func (v value) flat(call *abi.Call) (kind uint32, bits uint64, length uint32) {
	switch v.kind {
	case integer:
		bits = uint64(v.integer)
	case number:
		bits = math.Float64bits(v.number)
	case boolean:
		if v.boolean {
			bits = 1
		}
	default:
		var start uint32
		start, length = call.Text(v.text).Flat()
		bits = uint64(start)
	}
	return uint32(v.kind), bits, length
}

func lowerAll(call *abi.Call, values map[string]value) abi.List {
	return abi.LowerAll(call, slices.Sorted(maps.Keys(values)), func(name string) wireAttribute {
		kind, bits, length := values[name].flat(call)
		return wireAttribute{name: call.Text(name), kind: uint8(kind), bits: bits | uint64(length)<<32}
	})
}

func start(name string) *Span { return &Span{wasmStart(name)} }

// A span that has ended is left alone.
func (s *Span) isOpen() bool { return s.handle != 0 }

func (s *Span) end() {
	if s.isOpen() {
		wasmEnd(s.handle)
		s.handle = 0
	}
}

func (s *Span) set(name string, v value) {
	call := abi.Begin()
	defer call.End()
	kind, bits, length := v.flat(call)
	if s.isOpen() {
		wasmSpanSet(s.handle, name, kind, bits, length)
	}
}

func (s *Span) event(name string, values map[string]value) {
	call := abi.Begin()
	defer call.End()
	attributes, attributesLen := lowerAll(call, values).Flat()
	if s.isOpen() {
		wasmSpanEvent(s.handle, name, attributes, attributesLen)
	}
}

func (s *Span) fail(message string) {
	if s.isOpen() {
		wasmFail(s.handle, message)
	}
}

func set(name string, v value) {
	call := abi.Begin()
	defer call.End()
	kind, bits, length := v.flat(call)
	wasmSet(name, kind, bits, length)
}

func event(name string, values map[string]value) {
	call := abi.Begin()
	defer call.End()
	attributes, attributesLen := lowerAll(call, values).Flat()
	wasmEvent(name, attributes, attributesLen)
}

func traceparent() string {
	call := abi.Begin()
	defer call.End()
	result := new(abi.Text)
	wasmTraceparent(abi.Place(call, result))
	return result.String()
}

func isRecorded() bool { return wasmIsRecorded() }
