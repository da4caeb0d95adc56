// Package invocation calls other apps by their ID. To stream, use net/http with http://<app ID>/<path>, through package web.
package invocation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Request is what an app is asked.
type Request struct {
	// Such as "/orders/17".
	Path string
	// "" is POST.
	Verb string
	// Without the question mark.
	Query  string
	Header http.Header
	Body   []byte
	// How long to wait; 0: as long as the host allows.
	Timeout  time.Duration
	Metadata map[string]string
}

// Response is what it answered, whatever that is.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON reads the body.
func (r *Response) JSON(into any) error { return json.Unmarshal(r.Body, into) }

// OK says whether the status is one of success.
func (r *Response) OK() bool { return r.Status/100 == 2 }

// Err is an error for a status that is none of success.
func (r *Response) Err() error {
	if r.OK() {
		return nil
	}
	return fmt.Errorf("%d %s: %s", r.Status, http.StatusText(r.Status), r.Body)
}

// Invoke calls an app, "name" or "name.namespace", and waits for its whole answer. An answer, 500 included, is no error.
func Invoke(app string, request Request) (*Response, error) {
	if request.Verb == "" {
		request.Verb = http.MethodPost
	}
	return invoke(app, request)
}

// Get asks an app for something.
func Get(app, path string) (*Response, error) {
	return Invoke(app, Request{Path: path, Verb: http.MethodGet})
}

// PostJSON sends a value as JSON.
func PostJSON(app, path string, value any) (*Response, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return Invoke(app, Request{Path: path, Header: header, Body: body})
}
