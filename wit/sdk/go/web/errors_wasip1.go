package web

import (
	"unsafe"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/abi"
)

// The cases of WASI's error-code, in their order.
var errorNames = []string{
	"DNS timeout", "DNS error", "destination not found", "destination unavailable", "destination IP prohibited",
	"destination IP unroutable", "connection refused", "connection terminated", "connection timeout",
	"connection read timeout", "connection write timeout", "connection limit reached", "TLS protocol error",
	"TLS certificate error", "TLS alert received", "HTTP request denied", "HTTP request length required",
	"HTTP request body size", "HTTP request method invalid", "HTTP request URI invalid", "HTTP request URI too long",
	"HTTP request header section size", "HTTP request header size", "HTTP request trailer section size",
	"HTTP request trailer size", "HTTP response incomplete", "HTTP response header section size",
	"HTTP response header size", "HTTP response body size", "HTTP response trailer section size",
	"HTTP response trailer size", "HTTP response transfer coding", "HTTP response content coding",
	"HTTP response timeout", "HTTP upgrade failed", "HTTP protocol error", "loop detected", "configuration error",
	"internal error",
}

// Those of which a program can do something.
var errorKinds = map[string]berth.Kind{
	"DNS timeout":               berth.Timeout,
	"destination not found":     berth.NotFound,
	"destination unavailable":   berth.Unavailable,
	"destination IP prohibited": berth.Denied,
	"connection refused":        berth.Unavailable,
	"connection terminated":     berth.Unavailable,
	"connection timeout":        berth.Timeout,
	"connection read timeout":   berth.Timeout,
	"connection write timeout":  berth.Timeout,
	"connection limit reached":  berth.Unavailable,
	"HTTP request denied":       berth.Denied,
	"HTTP request body size":    berth.TooLarge,
	"HTTP response body size":   berth.TooLarge,
	"HTTP response timeout":     berth.Timeout,
}

func (e *errorCode) err() error {
	name := errorNames[e.kind]
	kind, known := errorKinds[name]
	if !known {
		kind = berth.Other
	}
	if int(e.kind) == len(errorNames)-1 {
		// The last one has a text.
		said := (*abi.Option[abi.Text])(unsafe.Pointer(&e.payload))
		if text := abi.Optional(*said); text != "" {
			name = text
		}
	}
	return &berth.Error{Kind: kind, Message: name}
}
