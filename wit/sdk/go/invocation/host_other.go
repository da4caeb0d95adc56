//go:build !wasip1

package invocation

import (
	"bytes"
	"net/http/httptest"
	"strings"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/world"
)

// Apps of berthtest's world: handlers.

func invoke(app string, request Request) (*Response, error) {
	w := world.Current
	if w.Broken != nil {
		return nil, w.Broken
	}
	handler := w.Apps[app]
	if handler == nil {
		return nil, world.Fail(berth.NotFound, "there is no app "+app)
	}
	target := "/" + strings.TrimPrefix(request.Path, "/")
	if request.Query != "" {
		target += "?" + request.Query
	}
	asked := httptest.NewRequest(request.Verb, target, bytes.NewReader(request.Body))
	for name, values := range request.Header {
		asked.Header[name] = values
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, asked)
	return &Response{answer.Code, answer.Header(), answer.Body.Bytes()}, nil
}
