package web

import (
	"errors"
	"io"
	"net/http"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport wasi:http/types@0.2.12 [constructor]fields
func wasmNewFields() uint32

//go:wasmimport wasi:http/types@0.2.12 [method]fields.append
func wasmFieldsAppend(fields uint32, name string, value string, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]fields.entries
func wasmFieldsEntries(fields uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]fields
func wasmDropFields(fields uint32)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-body.stream
func wasmIncomingStream(body uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]incoming-body
func wasmDropIncomingBody(body uint32)

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-body.write
func wasmOutgoingStream(body uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [static]outgoing-body.finish
func wasmFinish(body uint32, hasTrailers bool, trailers uint32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.12 [method]input-stream.blocking-read
func wasmRead(stream uint32, length uint64, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.12 [resource-drop]input-stream
func wasmDropInput(stream uint32)

//go:wasmimport wasi:io/streams@0.2.12 [method]output-stream.blocking-write-and-flush
func wasmWrite(stream, start, length uint32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.12 [resource-drop]output-stream
func wasmDropOutput(stream uint32)

//go:wasmimport wasi:io/error@0.2.12 [resource-drop]error
func wasmDropError(handle uint32)

//go:wasmimport wasi:io/error@0.2.12 [method]error.to-debug-string
func wasmErrorText(handle uint32, result unsafe.Pointer)

const (
	// blocking-write-and-flush takes no more at once.
	writeMax = 4096
	readMax  = 1 << 16
)

type (
	// The results of WASI's functions whose error says nothing.
	wireHandle  = abi.Result[uint32, abi.Nothing]
	streamError struct {
		_ abi.Layout
		// 0: failed, with an error; 1: closed.
		kind   uint8
		handle uint32
	}
	// As large as the largest case, of which some have a number of 64 bits.
	errorCode struct {
		_       abi.Layout
		kind    uint8
		payload [3]uint64
	}
)

func (e *streamError) err() error {
	if e.kind == 1 {
		return io.EOF
	}
	defer wasmDropError(e.handle)
	call := abi.Begin()
	defer call.End()
	text := new(abi.Text)
	wasmErrorText(e.handle, abi.Place(call, text))
	return errors.New(text.String())
}

func lowerHeader(header http.Header) uint32 {
	fields := wasmNewFields()
	call := abi.Begin()
	defer call.End()
	// One that is no legal header, or for the host to say, is left out.
	result := new(abi.Result[abi.Nothing, uint8])
	for name, values := range header {
		for _, value := range values {
			wasmFieldsAppend(fields, name, value, abi.Place(call, result))
		}
	}
	return fields
}

// Lifts the fields, and drops them.
func liftHeader(fields uint32) http.Header {
	defer wasmDropFields(fields)
	call := abi.Begin()
	defer call.End()
	list := new(abi.List)
	wasmFieldsEntries(fields, abi.Place(call, list))
	header := http.Header{}
	for _, pair := range abi.View[abi.Pair](*list) {
		header.Add(pair.First.String(), pair.Second.String())
	}
	return header
}

// incoming reads a body from the host, chunk by chunk.
type incoming struct {
	body, stream uint32
	rest         []byte
	err          error
}

func newIncoming(body uint32) *incoming {
	result := new(wireHandle)
	wasmIncomingStream(body, unsafe.Pointer(result))
	stream, _ := result.Get()
	return &incoming{body: body, stream: *stream}
}

func (b *incoming) Read(into []byte) (int, error) {
	if len(b.rest) == 0 && b.err == nil {
		b.rest, b.err = readChunk(b.stream)
	}
	if len(b.rest) == 0 {
		return 0, b.err
	}
	count := copy(into, b.rest)
	b.rest = b.rest[count:]
	return count, nil
}

// Close lets the host stop sending.
func (b *incoming) Close() error {
	if b.stream != 0 {
		wasmDropInput(b.stream)
		wasmDropIncomingBody(b.body)
		*b = incoming{err: http.ErrBodyReadAfterClose}
	}
	return nil
}

func readChunk(stream uint32) ([]byte, error) {
	call := abi.Begin()
	defer call.End()
	result := new(abi.Result[abi.List, streamError])
	wasmRead(stream, readMax, abi.Place(call, result))
	chunk, failure := result.Get()
	if failure != nil {
		return nil, failure.err()
	}
	return chunk.Bytes(), nil
}

// outgoing writes a body to the host.
type outgoing struct{ body, stream uint32 }

func newOutgoing(body uint32) *outgoing {
	result := new(wireHandle)
	wasmOutgoingStream(body, unsafe.Pointer(result))
	stream, _ := result.Get()
	return &outgoing{body, *stream}
}

func (b *outgoing) Write(data []byte) (int, error) {
	call := abi.Begin()
	defer call.End()
	result := new(abi.Result[abi.Nothing, streamError])
	for done := 0; done < len(data); {
		chunk := data[done:min(done+writeMax, len(data))]
		start, length := call.Bytes(chunk).Flat()
		wasmWrite(b.stream, start, length, abi.Place(call, result))
		if _, failure := result.Get(); failure != nil {
			return done, failure.err()
		}
		done += len(chunk)
	}
	return len(data), nil
}

// Close says that the body is complete.
func (b *outgoing) Close() error {
	wasmDropOutput(b.stream)
	call := abi.Begin()
	defer call.End()
	result := new(abi.Result[abi.Nothing, errorCode])
	wasmFinish(b.body, false, 0, abi.Place(call, result))
	if _, failure := result.Get(); failure != nil {
		return failure.err()
	}
	return nil
}
