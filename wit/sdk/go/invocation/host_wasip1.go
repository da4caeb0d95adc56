package invocation

import (
	"maps"
	"net/http"
	"slices"
	"time"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport berth:invocation/invoker@0.1.0 invoke
func wasmInvoke(parameters, result unsafe.Pointer)

type (
	wireRequest struct {
		_         abi.Layout
		app       abi.Text
		path      abi.Text
		verb      abi.Text
		header    abi.List
		query     abi.Option[abi.Text]
		body      abi.List
		timeoutMs abi.Option[uint32]
		metadata  abi.List
	}
	wireResponse struct {
		_      abi.Layout
		status uint16
		header abi.List
		body   abi.List
	}
)

func invoke(app string, request Request) (*Response, error) {
	call := abi.Begin()
	defer call.End()
	parameters := &wireRequest{
		app:       call.Text(app),
		path:      call.Text(request.Path),
		verb:      call.Text(request.Verb),
		header:    lowerHeader(call, request.Header),
		query:     call.Optional(request.Query),
		body:      call.Bytes(request.Body),
		timeoutMs: lowerTimeout(request.Timeout),
		metadata:  call.Pairs(request.Metadata),
	}
	result := new(abi.Result[wireResponse, abi.Failure])
	wasmInvoke(abi.Place(call, parameters), abi.Place(call, result))
	answer, failure := result.Get()
	if failure != nil {
		return nil, failure.Err(abi.Common)
	}
	header := http.Header{}
	for _, pair := range abi.View[abi.Pair](answer.header) {
		header.Add(pair.First.String(), pair.Second.String())
	}
	return &Response{int(answer.status), header, answer.body.Bytes()}, nil
}

func lowerHeader(call *abi.Call, header http.Header) abi.List {
	var pairs []abi.Pair
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			pairs = append(pairs, abi.Pair{First: call.Text(name), Second: call.Text(value)})
		}
	}
	return abi.Lower(call, pairs)
}

func lowerTimeout(timeout time.Duration) abi.Option[uint32] {
	if timeout <= 0 {
		return abi.Option[uint32]{}
	}
	return abi.Some(uint32(max(1, timeout.Milliseconds())))
}
