// Calls of the Go SDK that neither the shop nor the contract guest makes. Each route gives what came of some of them.
package main

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/web"
)

type report map[string]any

func init() {
	http.HandleFunc("GET /context", answer(runContext))
	http.HandleFunc("GET /client", answer(runClient))
	http.HandleFunc("GET /goroutines", answer(runGoroutines))
	http.HandleFunc("GET /send", send)
	http.HandleFunc("POST /echo/{rest...}", echo)
	http.HandleFunc("GET /stream", stream)
	http.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("on purpose") })
}

func answer(run func() (report, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		done, err := run()
		if err != nil {
			web.WriteJSON(w, http.StatusInternalServerError, report{"error": err.Error()})
			return
		}
		web.WriteJSON(w, http.StatusOK, done)
	}
}

// kind is what a call was refused as; "ok" if it was not.
func kind(err error) string {
	if err == nil {
		return "ok"
	}
	return string(berth.KindOf(err))
}

// Goroutines talk to each other and to the host while the collector runs.
func runGoroutines() (report, error) {
	sum := make(chan int)
	for worker := range 4 {
		go func() {
			texts := []string{}
			for i := range 200 {
				texts = append(texts, strings.Repeat("x", 1000+i))
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
					runtime.GC()
				}
			}
			sum <- worker + len(texts)
		}()
	}
	total := 0
	for range 4 {
		total += <-sum
	}
	return report{"total": total}, nil
}

// Sends a request where the query says.
func send(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	body := "hello"
	if size, err := strconv.Atoi(query.Get("bytes")); err == nil {
		body = strings.Repeat("z", size)
	}
	request, err := http.NewRequest(http.MethodPost, query.Get("to"), strings.NewReader(body))
	if err != nil {
		web.WriteJSON(w, http.StatusBadRequest, report{"error": "invalid"})
		return
	}
	request.Header.Set("X-Said", "yes")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		web.WriteJSON(w, http.StatusForbidden, report{"error": kind(err)})
		return
	}
	defer response.Body.Close()
	w.Header().Set("X-Heard", response.Header.Get("X-Heard"))
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	io.Copy(w, response.Body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		web.WriteJSON(w, http.StatusBadRequest, report{"error": err.Error()})
		return
	}
	w.Header().Set("X-Heard", r.Header.Get("X-Said"))
	web.WriteJSON(w, http.StatusAccepted, report{"rest": r.PathValue("rest"), "body": string(body)})
}

// More than is kept before the first byte is sent.
func stream(w http.ResponseWriter, r *http.Request) {
	line := strings.Repeat("z", 1023) + "\n"
	for range 300 {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

// Never runs: the host calls what init has registered.
func main() {}
