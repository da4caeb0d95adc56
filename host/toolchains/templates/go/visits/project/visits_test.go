package main

import (
	"net/http/httptest"
	"testing"

	"berth.dev/sdk/berthtest"
	"berth.dev/sdk/web"
)

func TestEveryVisitCounts(t *testing.T) {
	berthtest.New(t)
	for _, want := range []string{`{"visits":1}`, `{"visits":2}`} {
		answer := httptest.NewRecorder()
		web.Handler().ServeHTTP(answer, httptest.NewRequest("POST", "/visits", nil))
		if answer.Body.String() != want {
			t.Fatalf("%s is not %s", answer.Body, want)
		}
	}
}
