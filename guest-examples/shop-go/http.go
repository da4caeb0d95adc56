package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"unicode/utf8"

	"berth.dev/sdk/web"
)

// Largest request body that the shop reads.
const bodyBytesMax = 1 << 20

// handler answers a request; a failure that it returns is an answer, too.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h(w, r)
	if err == nil {
		return
	}
	failed := failureOf(err)
	if failed.status >= 500 {
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", r.Method, r.URL.Path, err)
	}
	if failed.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	web.WriteJSON(w, failed.status, failed.body())
}

func reply(w http.ResponseWriter, status int, body any) error {
	web.WriteJSON(w, status, body)
	return nil
}

// readBody reads the body, not yet checked: see field.
func readBody(w http.ResponseWriter, r *http.Request) (any, error) {
	read, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, &failure{413, "too-large", fmt.Sprintf("the body exceeds %d bytes", bodyBytesMax), nil}
	}
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(read) {
		return nil, invalid("body", "must be UTF-8")
	}
	value, err := parse(read)
	if err != nil {
		return nil, invalid("body", "must be JSON: "+err.Error())
	}
	return value, nil
}

// parse reads JSON with numbers as they are written.
func parse(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the value")
	}
	return value, nil
}
