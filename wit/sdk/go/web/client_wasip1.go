package web

import (
	"io"
	"net/http"
	"strconv"
	"time"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport wasi:http/types@0.2.12 [constructor]outgoing-request
func wasmNewRequest(headers uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-method
func wasmSetMethod(request, kind uint32, other string) bool

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-scheme
func wasmSetScheme(request uint32, isSome bool, kind uint32, other string) bool

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-authority
func wasmSetAuthority(request uint32, isSome bool, authority string) bool

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.set-path-with-query
func wasmSetPath(request uint32, isSome bool, path string) bool

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-request.body
func wasmRequestBody(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [constructor]request-options
func wasmNewOptions() uint32

//go:wasmimport wasi:http/types@0.2.12 [method]request-options.set-first-byte-timeout
func wasmSetFirstByteTimeout(options uint32, isSome bool, nanoseconds uint64) bool

//go:wasmimport wasi:http/outgoing-handler@0.2.12 handle
func wasmSend(request uint32, hasOptions bool, options uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]future-incoming-response.subscribe
func wasmSubscribe(future uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]future-incoming-response.get
func wasmGetResponse(future uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]future-incoming-response
func wasmDropFuture(future uint32)

//go:wasmimport wasi:io/poll@0.2.12 [method]pollable.block
func wasmBlock(pollable uint32)

//go:wasmimport wasi:io/poll@0.2.12 [resource-drop]pollable
func wasmDropPollable(pollable uint32)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.status
func wasmStatus(response uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.headers
func wasmResponseHeaders(response uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-response.consume
func wasmConsumeResponse(response uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]incoming-response
func wasmDropResponse(response uint32)

// net/http's client uses it, so http.Get and http.DefaultClient work as everywhere. There are no sockets.
func init() { http.DefaultTransport = transport{} }

type transport struct{}

// Cases of WIT variants.
const (
	methodOther = 9
	schemeHTTP  = 0
	schemeHTTPS = 1
	schemeOther = 2
)

// RoundTrip sends a request through the host, which looks at what the app's manifest allows.
func (transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		defer request.Body.Close()
	}
	handle := lowerRequest(request)
	result := new(wireHandle)
	wasmRequestBody(handle, unsafe.Pointer(result))
	body, _ := result.Get()
	stream := newOutgoing(*body)
	future, err := send(handle, request)
	if err != nil {
		return nil, err
	}
	defer wasmDropFuture(future)
	if err := sendBody(stream, request.Body); err != nil {
		return nil, err
	}
	response, err := receive(future)
	if err != nil {
		return nil, err
	}
	return liftResponse(response, request), nil
}

func lowerRequest(request *http.Request) uint32 {
	header := request.Header.Clone()
	if request.ContentLength > 0 {
		header.Set("Content-Length", strconv.FormatInt(request.ContentLength, 10))
	}
	handle := wasmNewRequest(lowerHeader(header))
	lowerMethod(handle, request.Method)
	switch request.URL.Scheme {
	case "http":
		wasmSetScheme(handle, true, schemeHTTP, "")
	case "https":
		wasmSetScheme(handle, true, schemeHTTPS, "")
	default:
		wasmSetScheme(handle, true, schemeOther, request.URL.Scheme)
	}
	wasmSetAuthority(handle, true, request.URL.Host)
	wasmSetPath(handle, true, request.URL.RequestURI())
	return handle
}

func lowerMethod(handle uint32, method string) {
	if method == "" {
		method = http.MethodGet
	}
	for kind, known := range methods {
		if method == known {
			wasmSetMethod(handle, uint32(kind), "")
			return
		}
	}
	wasmSetMethod(handle, methodOther, method)
}

func send(handle uint32, request *http.Request) (future uint32, err error) {
	hasOptions, options := false, uint32(0)
	if deadline, ok := request.Context().Deadline(); ok {
		hasOptions, options = true, wasmNewOptions()
		wasmSetFirstByteTimeout(options, true, uint64(max(1, time.Until(deadline))))
	}
	call := abi.Begin()
	defer call.End()
	result := new(abi.Result[uint32, errorCode])
	wasmSend(handle, hasOptions, options, abi.Place(call, result))
	sent, failure := result.Get()
	if failure != nil {
		return 0, failure.err()
	}
	return *sent, nil
}

// sendBody fails if the body cannot be read. That the host takes no more of it is no failure: what became of the request,
// the answer says.
func sendBody(stream *outgoing, body io.Reader) error {
	defer stream.Close()
	if body == nil {
		return nil
	}
	chunk := make([]byte, writeMax)
	for {
		count, failure := body.Read(chunk)
		if _, refused := stream.Write(chunk[:count]); refused != nil {
			return nil
		}
		if failure == io.EOF {
			return nil
		}
		if failure != nil {
			return failure
		}
	}
}

func receive(future uint32) (response uint32, err error) {
	pollable := wasmSubscribe(future)
	wasmBlock(pollable)
	wasmDropPollable(pollable)
	call := abi.Begin()
	defer call.End()
	// The outer result fails if it is asked for twice.
	result := new(abi.Option[abi.Result[abi.Result[uint32, errorCode], abi.Nothing]])
	wasmGetResponse(future, abi.Place(call, result))
	inner, _ := result.Value.Get()
	received, failure := inner.Get()
	if failure != nil {
		return 0, failure.err()
	}
	return *received, nil
}

// body is a response's, which the host takes back when it is closed.
type body struct {
	*incoming
	response uint32
}

func (b *body) Close() error {
	if b.response != 0 {
		b.incoming.Close()
		wasmDropResponse(b.response)
		b.response = 0
	}
	return nil
}

func liftResponse(response uint32, request *http.Request) *http.Response {
	status := int(wasmStatus(response))
	header := liftHeader(wasmResponseHeaders(response))
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	result := new(wireHandle)
	wasmConsumeResponse(response, unsafe.Pointer(result))
	handle, _ := result.Get()
	return &http.Response{
		Status:        strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          &body{newIncoming(*handle), response},
		ContentLength: length,
		Request:       request,
	}
}
