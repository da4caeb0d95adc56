// The contract guest in Go, on the SDK. ../README.md says what it does.
package main

import (
	"encoding/json"
	"io"
	"net/http"

	"berth.dev/sdk/web"
)

func init() {
	http.HandleFunc("POST /contract", answerChecks)
	http.HandleFunc("/echo", echo)
	http.HandleFunc("GET /received/{id}", showReceived)
}

type echoedHeaders struct {
	ContentType string `json:"content-type,omitempty"`
	XContract   string `json:"x-contract,omitempty"`
}

type echoed struct {
	Verb    string        `json:"verb"`
	Path    string        `json:"path"`
	Query   string        `json:"query"`
	Body    string        `json:"body"`
	Headers echoedHeaders `json:"headers"`
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	headers := echoedHeaders{r.Header.Get("Content-Type"), r.Header.Get("X-Contract")}
	web.WriteJSON(w, http.StatusCreated, echoed{r.Method, r.URL.Path, r.URL.RawQuery, string(body), headers})
}

func answerChecks(w http.ResponseWriter, r *http.Request) {
	run := run{id: headerOr(r, "X-Run-Id", "run"), app: headerOr(r, "X-App-Id", "contract")}
	results := []result{}
	for _, check := range checks {
		results = append(results, check.result(run))
	}
	web.WriteJSON(w, http.StatusOK, results)
}

func headerOr(r *http.Request, name, otherwise string) string {
	if value := r.Header.Get(name); value != "" {
		return value
	}
	return otherwise
}

func text(value any) string {
	written, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(written)
}

// Never runs: the host calls what init has registered.
func main() {}
