package web

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.method
func wasmMethod(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.path-with-query
func wasmPath(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.authority
func wasmAuthority(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.headers
func wasmRequestHeaders(request uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]incoming-request.consume
func wasmConsumeRequest(request uint32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.12 [resource-drop]incoming-request
func wasmDropRequest(request uint32)

//go:wasmimport wasi:http/types@0.2.12 [constructor]outgoing-response
func wasmNewResponse(headers uint32) uint32

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-response.set-status-code
func wasmSetStatus(response, status uint32) bool

//go:wasmimport wasi:http/types@0.2.12 [method]outgoing-response.body
func wasmResponseBody(response uint32, result unsafe.Pointer)

// What follows the response is of an error, which is never sent.
//
//go:wasmimport wasi:http/types@0.2.12 [static]response-outparam.set
func wasmRespond(outparam uint32, isErr bool, response, _ uint32, _ uint64, _, _, _, _ uint32)

// In the order of the cases of the WIT variant.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

type wireMethod struct {
	_    abi.Layout
	kind uint8
	// Of a method that is none of them.
	other abi.Text
}

//go:wasmexport wasi:http/incoming-handler@0.2.12#handle
func handle(incomingRequest, outparam uint32) {
	w := &responseWriter{outparam: outparam, header: http.Header{}}
	request, err := liftRequest(incomingRequest)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	} else {
		Handler().ServeHTTP(w, request)
		request.Body.Close()
	}
	wasmDropRequest(incomingRequest)
	w.finish()
}

func liftRequest(handle uint32) (*http.Request, error) {
	target := optionalText(handle, wasmPath)
	location, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	header := liftHeader(wasmRequestHeaders(handle))
	host := optionalText(handle, wasmAuthority)
	if host == "" {
		host = header.Get("Host")
	}
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	body := new(wireHandle)
	wasmConsumeRequest(handle, unsafe.Pointer(body))
	bodyHandle, _ := body.Get()
	return &http.Request{
		Method:        liftMethod(handle),
		URL:           location,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          newIncoming(*bodyHandle),
		ContentLength: length,
		Host:          host,
		RequestURI:    target,
	}, nil
}

func liftMethod(request uint32) string {
	call := abi.Begin()
	defer call.End()
	method := new(wireMethod)
	wasmMethod(request, abi.Place(call, method))
	if int(method.kind) < len(methods) {
		return methods[method.kind]
	}
	return method.other.String()
}

func optionalText(request uint32, of func(uint32, unsafe.Pointer)) string {
	call := abi.Begin()
	defer call.End()
	text := new(abi.Option[abi.Text])
	of(request, abi.Place(call, text))
	return abi.Optional(*text)
}

// A body up to this size is sent with its length.
const bufferMax = 1 << 16

// responseWriter sends what a handler answers: at once when it is complete, or from where it exceeds the buffer or is flushed.
type responseWriter struct {
	outparam uint32
	header   http.Header
	status   int
	buffer   bytes.Buffer
	body     *outgoing
	err      error
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	// Informational ones are not for a guest to send.
	if w.status == 0 && status >= 200 {
		w.status = status
		// What the handler changes later is not sent.
		w.header = w.header.Clone()
	}
}

func (w *responseWriter) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.buffer.Write(data)
	if w.buffer.Len() > bufferMax {
		w.Flush()
	}
	return len(data), w.err
}

// Flush sends what is there.
func (w *responseWriter) Flush() {
	w.WriteHeader(http.StatusOK)
	if w.body == nil {
		w.begin()
	}
	if w.err == nil {
		// The caller may have gone away, which the next Write says.
		_, w.err = io.Copy(w.body, &w.buffer)
	}
}

func (w *responseWriter) begin() {
	if w.buffer.Len() > 0 && w.header.Get("Content-Type") == "" {
		w.header.Set("Content-Type", http.DetectContentType(w.buffer.Bytes()))
	}
	response := wasmNewResponse(lowerHeader(w.header))
	wasmSetStatus(response, uint32(w.status))
	body := new(wireHandle)
	wasmResponseBody(response, unsafe.Pointer(body))
	handle, _ := body.Get()
	wasmRespond(w.outparam, false, response, 0, 0, 0, 0, 0, 0)
	w.body = newOutgoing(*handle)
}

func (w *responseWriter) finish() {
	w.WriteHeader(http.StatusOK)
	if w.body == nil && w.status != http.StatusNoContent && w.status != http.StatusNotModified && w.header.Get("Content-Length") == "" {
		w.header.Set("Content-Length", strconv.Itoa(w.buffer.Len()))
	}
	w.Flush()
	w.body.Close()
}
